// The pieces of which the attention of attention_tensor.cu is made: tiles of rows in shared memory, scores and sums as the fragments of tensor
// cores. Everything is bf16, whatever `real` is.
#pragma once
#include "attention.cuh"
#include "attention_softmax.cuh"
#include "tensor_cores.cuh"

// A warp has 16·M rows.
enum { WARPS = 4, THREADS = 32 * WARPS, M = 2 };

// This block's part of the work: one head of one batch entry, owned rows from `first` on.
struct Part {
    i64 item, b, head, first;
};

__device__ inline Part part_of(const Sizes& s, i64 owned, int own) {
    i64 tiles = (owned + own - 1) / own, item = blockIdx.x / tiles;
    return Part{item, item / s.heads, item % s.heads, blockIdx.x % tiles * own};
}

struct __align__(8) Two {
    float x, y;
};

// Begins to copy ROWS × D to shared memory, from rows `stride` apart, of which `rows` and `width` are there; the others are 0.
template <int ROWS, int D>
__device__ __forceinline__ void fetch(bf16* to, const bf16* from, i64 stride, i64 rows, i64 width) {
    const int chunks = D / 8, step = THREADS / chunks;
    static_assert(ROWS % step == 0);
    int chunk = (int) threadIdx.x % chunks, row = (int) threadIdx.x / chunks;
    int end = 8 * chunk < width ? (int) min(rows, (i64) ROWS) : 0;
    const bf16* mine = from + row * stride + 8 * chunk;
#pragma unroll
    for (int i = 0; i < ROWS; i += step) {
        bool there = row + i < end;
        copy_async(to + 8 * swizzled<chunks>(row + i, chunk), there ? mine : from, there);
        mine += step * stride;
    }
}

// Which element of a swizzled matrix with rows of D this lane names to load its 16 × 16 from column 8·c on, c even: rows in the lower
// half of the lanes and the upper, left 8 columns and then right.
template <int D>
__device__ __forceinline__ int place(int c) {
    int lane = (int) threadIdx.x % 32;
    return 8 * ((swizzled<D / 8>(lane % 16, lane / 16) ^ c % 8) + c / 8 * 8);
}

// A lane's rows: 16·m + 8·h + lane/4, with h = 0 or 1.
__device__ __forceinline__ int row_of(int m, int h) {
    return 16 * m + 8 * h + (int) threadIdx.x % 32 / 4;
}

// What is added to the score that is element e of the matrix, and to the one after it (0 if that is not there).
__device__ __forceinline__ Two added_pair(const Added<bf16>& mine, i64 e, bool even, bool both) {
    if (!even) return Two{added_at(mine, e), both ? added_at(mine, e + 1) : 0.f};
    Two sum = {0.f, 0.f};
    if (mine.bias != nullptr) {
        unsigned pair = *reinterpret_cast<const unsigned*>(mine.bias + e);
        sum = Two{low_of(pair), high_of(pair)};
    }
    if (mine.mask != nullptr) {
        unsigned pair = *reinterpret_cast<const unsigned*>(mine.mask + e);
        sum = Two{sum.x + low_of(pair), sum.y + high_of(pair)};
    }
    return sum;
}

// With what scores begin, before products are added and all is multiplied by a scale: what is added, times 1 / scale. They have `rows` rows
// and `columns` columns that are there, and begin in row `row` and column `column` of a matrix with `keys` columns, or, TURNED, in that column
// and that row. Bias and mask begin at multiples of 4 bytes.
template <int N, bool TURNED>
__device__ __forceinline__ void begin_scores(
    float (&s)[M][N / 8][4], const Added<bf16>& mine, float unscale, i64 keys, i64 row, i64 rows, i64 column, i64 columns) {
    bool even = keys % 2 == 0;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
                int c = 8 * n + (int) threadIdx.x % 4 * 2;
                Two two = {0.f, 0.f};
                if (row_of(m, h) < rows && c < columns) {
                    i64 owned = row + row_of(m, h), streamed = column + c;
                    bool both = c + 1 < columns;
                    if (!TURNED) two = added_pair(mine, owned * keys + streamed, even, both);
                    else two = Two{added_at(mine, streamed * keys + owned), both ? added_at(mine, (streamed + 1) * keys + owned) : 0.f};
                }
                s[m][n][2 * h] = two.x * unscale;
                s[m][n][2 * h + 1] = two.y * unscale;
            }
        }
    }
}

// s [16·M, N] += own [16·M, D] · streamᵀ [D, N]
template <int D, int N>
__device__ __forceinline__ void add_scores(float (&s)[M][N / 8][4], const bf16* own, const bf16* stream) {
#pragma unroll(D / 32)  // in halves: as a whole, it would read too much ahead, and registers run out
    for (int c = 0; c < D / 8; c += 2) {
        unsigned a[M][4];
#pragma unroll
        for (int m = 0; m < M; m++) load_matrices(a[m], own + 16 * m * D + place<D>(c));
#pragma unroll
        for (int n = 0; n < N / 8; n += 2) {
            unsigned b[4];
            load_matrices(b, stream + 8 * n * D + place<D>(c));
            unsigned b_first[2] = {b[0], b[2]}, b_second[2] = {b[1], b[3]};
#pragma unroll
            for (int m = 0; m < M; m++) {
                mma_bf16(s[m][n], a[m], b_first);
                mma_bf16(s[m][n + 1], a[m], b_second);
            }
        }
    }
}

// sum [16·M, D] += p [16·M, 16] · stream [16, D]
template <int D>
__device__ __forceinline__ void add_products(float (&sum)[M][D / 8][4], const unsigned (&p)[M][4], const bf16* stream) {
#pragma unroll
    for (int c = 0; c < D / 8; c += 2) {
        unsigned b[4];
        load_matrices_transposed(b, stream + place<D>(c));
        unsigned b_first[2] = {b[0], b[1]}, b_second[2] = {b[2], b[3]};
#pragma unroll
        for (int m = 0; m < M; m++) {
            mma_bf16(sum[m][c], p[m], b_first);
            mma_bf16(sum[m][c + 1], p[m], b_second);
        }
    }
}

// Two neighbouring results of 8 columns as the operand of a product over these 16.
__device__ __forceinline__ void round_to_operand(unsigned (&a)[4], const float (&left)[4], const float (&right)[4]) {
    a[0] = bf16_pair(left[0], left[1]);
    a[1] = bf16_pair(left[2], left[3]);
    a[2] = bf16_pair(right[0], right[1]);
    a[3] = bf16_pair(right[2], right[3]);
}

// The scores of keys that do not count are −∞: those from column `keys` on.
template <int N>
__device__ __forceinline__ void leave_out(float (&s)[M][N / 8][4], i64 keys) {
#pragma unroll
    for (int n = 0; n < N / 8; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            bool counts = 8 * n + (int) threadIdx.x % 4 * 2 + i % 2 < keys;
#pragma unroll
            for (int m = 0; m < M; m++) s[m][n][i] = counts ? s[m][n][i] : -INFINITY;
        }
    }
}

// A warp's sums, times a factor for each row, to the `rows` and `width` that are there; a factor of 0 gives 0, whatever the sum.
template <int D>
__device__ __forceinline__ void store_rows(
    bf16* to, const float (&sum)[M][D / 8][4], const float (&factor)[M][2], i64 stride, i64 rows, i64 width) {
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            if (row_of(m, h) >= rows) continue;
            bf16* row = to + row_of(m, h) * stride + threadIdx.x % 4 * 2;
            float f = factor[m][h];
#pragma unroll
            for (int d = 0; d < D / 8; d++) {
                unsigned pair = f == 0.f ? 0u : bf16_pair(sum[m][d][2 * h] * f, sum[m][d][2 * h + 1] * f);
                if (8 * d < width) *reinterpret_cast<unsigned*>(row + 8 * d) = pair;
            }
        }
    }
}
