// Sums and maxima over one axis: x [outer, n, inner] -> y [outer, inner].
//
// Both kernels reduce stretches of the axis, [outer, parts, inner], and run again on what they made until one part is left: the order of
// additions depends on the sizes alone. Ideal traffic: x once. Java: backend/cuda/Reductions.java.
#include "common.cuh"

enum { SUM, MAX };

// inner = 1: a block a stretch, block b of outer · parts. Neighbouring threads read neighbouring elements. The sums of the stretches are floats
// whatever x is.
template <class T>
__device__ inline void reduce_rows(int f, float* y, const T* x, i64 n, i64 stretch, i64 parts) {
    i64 o = blockIdx.x / parts, part = blockIdx.x % parts;
    i64 from = part * stretch, to = min(from + stretch, n);
    float v = f == SUM ? 0.f : -INFINITY;
    for (i64 i = from + threadIdx.x; i < to; i += blockDim.x) v = f == SUM ? v + at(x, o * n + i) : fmaxf(v, at(x, o * n + i));
    v = f == SUM ? block_sum(v) : block_max(v);
    if (threadIdx.x == 0) y[blockIdx.x] = v;
}

// inner > 1: a thread an element of y, which goes along the axis; neighbouring threads stand on neighbouring elements.
template <class T>
__device__ inline void reduce_columns(int f, float* y, const T* x, i64 n, i64 inner, i64 stretch, i64 parts, i64 all) {
    for (i64 e = thread_number(); e < all; e += thread_count()) {
        i64 j = e % inner, part = e / inner % parts, o = e / inner / parts;
        i64 from = part * stretch, to = min(from + stretch, n);
        float v = f == SUM ? 0.f : -INFINITY;
        for (i64 i = from; i < to; i++) {
            float u = at(x, (o * n + i) * inner + j);
            v = f == SUM ? v + u : fmaxf(v, u);
        }
        y[e] = v;
    }
}

KERNEL reduce_rows_first(int f, float* y, const real* x, i64 n, i64 stretch, i64 parts) {
    reduce_rows(f, y, x, n, stretch, parts);
}

KERNEL reduce_rows_again(int f, float* y, const float* x, i64 n, i64 stretch, i64 parts) {
    reduce_rows(f, y, x, n, stretch, parts);
}

KERNEL reduce_columns_first(int f, float* y, const real* x, i64 n, i64 inner, i64 stretch, i64 parts, i64 all) {
    reduce_columns(f, y, x, n, inner, stretch, parts, all);
}

KERNEL reduce_columns_again(int f, float* y, const float* x, i64 n, i64 inner, i64 stretch, i64 parts, i64 all) {
    reduce_columns(f, y, x, n, inner, stretch, parts, all);
}

// y = x, from float to storage
KERNEL reduce_store(real* y, const float* x, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) put(y + i, x[i]);
}
