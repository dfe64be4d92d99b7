// The pieces of which the attention of attention.cu is made: tiles of rows in shared memory, scores and sums in registers.
//
// A block has 256 threads as 16 × 16: thread (tx, ty) has the owned rows 4·ty … 4·ty + 3, and of what goes by the rows tx + 16·j. So the
// 16 threads that share a row of scores are half a warp, and take maxima and sums by shuffles. The width is filled up with zeros to D = 32,
// 64 or 128; a matrix in shared memory has rows of D + 4 floats, so that 8 neighbouring lanes reading 4 floats each, every lane another
// row, meet 32 different banks. WIDE means any width, in chunks of 128 columns: every chunk of the result has a block of its own, which goes
// through all chunks for the scores. So scores are computed once a chunk.
#pragma once
#include "attention.cuh"

// Floats that are read at once.
struct __align__(16) Four {
    float x, y, z, w;
};

__device__ inline Four four(const float* x) {
    return *reinterpret_cast<const Four*>(x);
}

struct __align__(8) Two {
    float x, y;
};

__device__ inline Two two(const float* x) {
    return *reinterpret_cast<const Two*>(x);
}

enum { OWN = 64, THREADS = 256 };

// This block's part of the work: one head of one batch entry, a tile of owned rows, a chunk of the width.
struct Part {
    i64 item, b, head, first, chunk, chunks;
};

__device__ inline Part part_of(const Sizes& s, i64 owned, int d) {
    Part p;
    i64 tiles = (owned + OWN - 1) / OWN;
    p.chunks = (s.width + d - 1) / d;
    p.chunk = blockIdx.x % p.chunks;
    p.first = blockIdx.x / p.chunks % tiles * OWN;
    p.item = blockIdx.x / p.chunks / tiles;
    p.b = p.item / s.heads;
    p.head = p.item % s.heads;
    return p;
}

// ROWS × D floats to shared memory from rows `stride` apart, of which `rows` and `columns` are there; the others are 0.
template <int ROWS, int D>
__device__ inline void load_tile(float* to, const real* from, i64 stride, i64 rows, i64 columns) {
    const int step = THREADS / D;
    int column = (int) threadIdx.x % D, row = (int) threadIdx.x / D;
    int end = column < columns ? (int) min(rows, (i64) ROWS) : 0;
    from += row * stride + column;
    to += row * (D + 4) + column;
#pragma unroll 2
    for (int i = 0; i < ROWS; i += step) {
        *to = row + i < end ? to_float(*from) : 0.f;
        from += step * stride;
        to += step * (D + 4);
    }
}

// s += own · streamᵀ: of this thread's 4 owned rows and N streamed ones
template <int D, int N>
__device__ inline void add_scores(float (&s)[4][N], const float* own, const float* stream) {
    int tx = (int) threadIdx.x % 16, ty = (int) threadIdx.x / 16;
#pragma unroll 1
    for (int d = 0; d < D; d += 4) {
        Four a[4], b[N];
#pragma unroll
        for (int i = 0; i < 4; i++) a[i] = four(own + (4 * ty + i) * (D + 4) + d);
#pragma unroll
        for (int j = 0; j < N; j++) b[j] = four(stream + (tx + 16 * j) * (D + 4) + d);
#pragma unroll
        for (int i = 0; i < 4; i++) {
#pragma unroll
            for (int j = 0; j < N; j++) {
                float sum = s[i][j];
                sum += a[i].x * b[j].x;
                sum += a[i].y * b[j].y;
                sum += a[i].z * b[j].z;
                sum += a[i].w * b[j].w;
                s[i][j] = sum;
            }
        }
    }
}

// scores = scale · scores + what is added, of this thread's 4 owned rows and N streamed ones that are there; returns the scale that is left to
// do. Scores begin in row `row` and column `column` of a matrix with `keys` columns, or, TURNED, in that column and that row.
template <int N, bool TURNED>
__device__ inline float add_to_scores(
    float (&s)[4][N], float scale, const Added<real>& added, i64 keys, i64 row, i64 rows, i64 column, i64 columns) {
    if (!any(added)) return scale;
    int tx = (int) threadIdx.x % 16, ty = (int) threadIdx.x / 16;
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < N; j++) {
            i64 owned = row + 4 * ty + i, streamed = column + tx + 16 * j;
            if (4 * ty + i >= rows || tx + 16 * j >= columns) continue;
            s[i][j] = s[i][j] * scale + added_at(added, TURNED ? streamed * keys + owned : owned * keys + streamed);
        }
    }
    return 1.f;
}

// The column in which a thread has its sum number c: neighbours of 4 (2 where there are no more), then 16 threads on.
template <int D>
__device__ inline int column(int c) {
    const int near = D / 16 < 4 ? D / 16 : 4;
    return (int) threadIdx.x % 16 * near + c / near * 16 * near + c % near;
}

// D/16 floats of a row of D in this thread's columns
template <int D>
__device__ inline void read_columns(float (&to)[D / 16], const float* row) {
    if constexpr (D == 32) {
        to[0] = row[column<D>(0)];
        to[1] = row[column<D>(1)];
    } else {
#pragma unroll
        for (int c = 0; c < D / 16; c += 4) {
            Four v = four(row + column<D>(c));
            to[c] = v.x;
            to[c + 1] = v.y;
            to[c + 2] = v.z;
            to[c + 3] = v.w;
        }
    }
}

// sum += p · stream for this thread's 4 rows of p [OWN, 16·N] and its columns of stream [16·N, D]
template <int D, int N>
__device__ inline void add_products(float (&sum)[4][D / 16], const float* p, const float* stream) {
    int ty = (int) threadIdx.x / 16;
#pragma unroll 1
    for (int n = 0; n < 16 * N; n += 2) {
        Two a[4];
#pragma unroll
        for (int i = 0; i < 4; i++) a[i] = two(p + (4 * ty + i) * (16 * N + 4) + n);
#pragma unroll
        for (int m = 0; m < 2; m++) {
            float b[D / 16];
            read_columns<D>(b, stream + (n + m) * (D + 4));
#pragma unroll
            for (int i = 0; i < 4; i++) {
                float u = m == 0 ? a[i].x : a[i].y;
#pragma unroll
                for (int c = 0; c < D / 16; c++) sum[i][c] += u * b[c];
            }
        }
    }
}

// This thread's 4 × N values of a matrix [OWN, 16·N] to shared memory
template <int N>
__device__ inline void store_tile(float* to, const float (&values)[4][N]) {
    int tx = (int) threadIdx.x % 16, ty = (int) threadIdx.x / 16;
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < N; j++) to[(4 * ty + i) * (16 * N + 4) + tx + 16 * j] = values[i][j];
    }
}

// This thread's sums, times a factor for each row, to the `rows` and `columns` that are there
template <int D>
__device__ inline void store_rows(real* to, const float (&sum)[4][D / 16], const float (&factor)[4], i64 stride, i64 rows, i64 columns) {
    int ty = (int) threadIdx.x / 16, row_end = (int) min(rows, (i64) OWN), column_end = (int) min(columns, (i64) D);
    to += 4 * ty * stride;
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int c = 0; c < D / 16; c++) {
            if (4 * ty + i < row_end && column<D>(c) < column_end) put(to + i * stride + column<D>(c), sum[i][c] * factor[i]);
        }
    }
}

// Over the 16 threads of one row
__device__ inline float half_warp_sum(float v) {
    for (int d = 8; d > 0; d /= 2) v += __shfl_xor_sync(ALL_LANES, v, d);
    return v;
}

__device__ inline float half_warp_max(float v) {
    for (int d = 8; d > 0; d /= 2) v = fmaxf(v, __shfl_xor_sync(ALL_LANES, v, d));
    return v;
}

// s += own · streamᵀ over the whole width: what is owned is in shared memory already, or, if it is WIDE, comes chunk by chunk. Begins with
// a barrier; what goes by is left in `stream` (the last chunk).
template <int D, int N, bool WIDE>
__device__ inline void add_all_scores(
    float (&s)[4][N], float* own, float* stream, const real* owned, i64 rows, const real* streamed, i64 streamed_rows, i64 stride,
    i64 width) {
    for (i64 d = 0; d < (WIDE ? width : 1); d += D) {
        __syncthreads();
        if (WIDE) load_tile<OWN, D>(own, owned + d, stride, rows, width - d);
        load_tile<16 * N, D>(stream, streamed + d, stride, streamed_rows, width - d);
        __syncthreads();
        add_scores<D, N>(s, own, stream);
    }
}
