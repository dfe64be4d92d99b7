// Moving elements without changing them: fills, strided copies, rows by number.
//
// One thread an element, grid-stride, blocks of 256. Ideal traffic: every element read and written once. Kernels that only move come
// once for each size of an element, and copies for 16 bytes of neighbours. Java: backend/cuda/Movement.java, tensor/Copy.java.
#include "common.cuh"

// Where y and x stand for each element of a walk over `dims`, the fastest axis last.
struct Strides {
    i64 rank;
    i64 dims[8];
    i64 y[8];
    i64 x[8];
};

template <class T>
__device__ inline void fill_with(T* y, i64 bits, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) y[i] = (T) bits;
}

template <class T>
__device__ inline void copy_elements(T* y, const T* x, const Strides& axes, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) {
        i64 rest = i, iy = 0, ix = 0;
        for (int d = (int) axes.rank - 1; d > 0; d--) {
            i64 index = rest % axes.dims[d];
            rest /= axes.dims[d];
            iy += index * axes.y[d];
            ix += index * axes.x[d];
        }
        y[iy + rest * axes.y[0]] = x[ix + rest * axes.x[0]];
    }
}

// y[:] = the lowest bytes of `bits`
KERNEL fill_1(unsigned char* y, i64 bits, i64 n) {
    fill_with(y, bits, n);
}

KERNEL fill_2(unsigned short* y, i64 bits, i64 n) {
    fill_with(y, bits, n);
}

KERNEL fill_4(unsigned* y, i64 bits, i64 n) {
    fill_with(y, bits, n);
}

KERNEL fill_8(i64* y, i64 bits, i64 n) {
    fill_with(y, bits, n);
}

// y[Σ i·y] = x[Σ i·x] for every index i below dims
KERNEL copy_1(unsigned char* y, const unsigned char* x, Strides axes, i64 n) {
    copy_elements(y, x, axes, n);
}

KERNEL copy_2(unsigned short* y, const unsigned short* x, Strides axes, i64 n) {
    copy_elements(y, x, axes, n);
}

KERNEL copy_4(unsigned* y, const unsigned* x, Strides axes, i64 n) {
    copy_elements(y, x, axes, n);
}

KERNEL copy_8(i64* y, const i64* x, Strides axes, i64 n) {
    copy_elements(y, x, axes, n);
}

// The same for neighbours on both sides, 16 bytes of them at once, where all of these are aligned; dims and strides count 16 bytes.
KERNEL copy_16(uint4* y, const uint4* x, Strides axes, i64 n) {
    copy_elements(y, x, axes, n);
}

// y [rows, C]: row index[r] of x [xRows, C], or zeros where index[r] is negative
KERNEL gather_rows(real* y, const real* x, const i64* index, i64 rows, i64 c) {
    for (i64 i = thread_number(); i < rows * c; i += thread_count()) {
        i64 from = index[i / c];
        if (from < 0) put(y + i, 0.f);
        else y[i] = x[from * c + i % c];
    }
}

// y [yRows, C] = 0, then row index[r] of y += row r of x [rows, C]. A block sums one row of y, over the rows of x in their order: which those
// are, the two kernels below have listed, list[start[i] … start[i + 1] − 1], in any order. They are few where this is used, so one thread
// sorts them.
KERNEL scatter_add_rows(real* y, const real* x, const i64* start, i64* list, i64 c) {
    i64 row = blockIdx.x;
    i64 from = start[row], to = start[row + 1];
    if (threadIdx.x == 0) {
        for (i64 i = from + 1; i < to; i++) {
            i64 r = list[i], j = i;
            for (; j > from && list[j - 1] > r; j--) list[j] = list[j - 1];
            list[j] = r;
        }
    }
    __syncthreads();
    for (i64 j = threadIdx.x; j < c; j += blockDim.x) {
        float sum = 0.f;
        for (i64 i = from; i < to; i++) sum += at(x, list[i] * c + j);
        put(y + row * c + j, sum);
    }
}

// start[i] = how many indices are below i, for i ≤ yRows; negative ones do not count. next = start, without the last. One block. The atomics
// count whole numbers, whose sums do not depend on their order.
KERNEL scatter_starts(i64* start, i64* next, const i64* index, i64 rows, i64 y_rows) {
    __shared__ i64 sums[1024];
    for (i64 i = threadIdx.x; i <= y_rows; i += blockDim.x) start[i] = 0;
    __syncthreads();
    for (i64 r = threadIdx.x; r < rows; r += blockDim.x) {
        if (index[r] >= 0) atomicAdd(reinterpret_cast<unsigned long long*>(start + index[r] + 1), 1ull);
    }
    __syncthreads();
    // A running sum: each thread over its stretch, after the sums of the stretches before it.
    i64 each = (y_rows + 1 + blockDim.x - 1) / blockDim.x;
    i64 from = threadIdx.x * each;
    i64 to = min(from + each, y_rows + 1);
    i64 sum = 0;
    for (i64 i = from; i < to; i++) sum += start[i];
    sums[threadIdx.x] = sum;
    __syncthreads();
    i64 before = 0;
    for (unsigned t = 0; t < threadIdx.x; t++) before += sums[t];
    for (i64 i = from; i < to; i++) {
        before += start[i];
        start[i] = before;
        if (i < y_rows) next[i] = before;
    }
}

// list[…] = the rows r with index[r] = i, from start[i] on; next[i] is where the next one goes.
KERNEL scatter_lists(i64* list, i64* next, const i64* index, i64 rows) {
    for (i64 r = thread_number(); r < rows; r += thread_count()) {
        if (index[r] >= 0) list[atomicAdd(reinterpret_cast<unsigned long long*>(next + index[r]), 1ull)] = r;
    }
}
