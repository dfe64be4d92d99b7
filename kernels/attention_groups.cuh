// The pieces of which attention on a Hopper GPU is made: tiles of rows by the copy engine, scores and sums in the registers of warp groups.
//
// A tile is a box for every 64 columns of a head: R rows of 128 bytes, swizzled as in hopper.cuh. Of one and the same tile, rows lie along
// the terms for scores, and along the lines for sums, so it serves both. A block owns 128 rows, two warp groups 64 of them each. In scores
// and sums a thread has two rows, g and g + 8 of its warp's sixteen: of register i, the row is i / 2 % 2.
#pragma once
#include "hopper.cuh"
#include "attention_softmax.cuh"

static_assert(sizeof(real) == 2, "attention of bf16");

static const int OWN = 128;                    // rows of a block
static const int THREADS = 384, FETCHER = 256;  // of a block, and the first of the third warp group, which fetches

// Keys that count, of `tokens` that there are.
struct Sizes {
    i64 batch, heads, length, keys, tokens;
};

// One head of one batch entry, owned rows from `first` on. Numbers of 32 bits, as coordinates are: who fetches has few registers.
struct Part {
    int batch, head, first;

    // rows: of which a block owns some, in all
    __device__ Part(int number, const Sizes& s, i64 rows) {
        int tiles = (int) (rows + OWN - 1) / OWN, heads = (int) s.heads, item = number / tiles;
        batch = item / heads;
        head = item % heads;
        first = number % tiles * OWN;
    }

    // Where what the head has of a vector [batch, heads, length] begins.
    __device__ __forceinline__ i64 vector(const Sizes& s) const { return (batch * s.heads + head) * s.length; }
};

__device__ inline int parts(const Sizes& s, i64 rows) {
    return (int) (s.batch * s.heads * ((rows + OWN - 1) / OWN));
}

// Bytes of a tile
template <int D, int R>
__device__ constexpr int tile_bytes() {
    return D * R * 2;
}

// Begins to bring R rows of a head, from `row` on; zeros where there are none.
template <int D, int R>
__device__ __forceinline__ void fetch(unsigned char* to, const TensorMap* map, const Part& part, int row, Barrier* full) {
    for (int i = 0; i < D / 64; i++) copy_box(to + i * R * 128, map, part.head * D + i * 64, row, part.batch, full);
}

// Begins scores [64, R] = own [64, D] · streamᵀ [D, R], of tiles of OWN and of R rows.
template <int D, int R>
__device__ __forceinline__ void begin_scores(float (&scores)[R / 2], const unsigned char* own, const unsigned char* stream) {
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < D / 16; i++) {
        auto a = operand(own + i / 4 * OWN * 128 + i % 4 * 32, 16), b = operand(stream + i / 4 * R * 128 + i % 4 * 32, 16);
        wgmma_bf16<false, false>(scores, a, b, i > 0);
    }
    wgmma_commit();
}

// Begins sum [64, D] += p [64, R] · stream [R, D].
template <int D, int R>
__device__ __forceinline__ void begin_sums(float (&sum)[D / 2], const unsigned (&p)[R / 16][4], const unsigned char* stream) {
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < R / 16; i++) wgmma_bf16<true>(sum, p[i], operand(stream + i * 2048, R * 128), true);
    wgmma_commit();
}

// Columns that do not exist, those from `columns` on, become `none`.
template <int COUNT>
__device__ __forceinline__ void leave_out(float (&scores)[COUNT], i64 columns, float none) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
        bool counts = i / 4 * 8 + (int) threadIdx.x % 4 * 2 + i % 2 < columns;
        scores[i] = counts ? scores[i] : none;
    }
}

// Numbers that lie like scores [64, R], as the left side of a product.
template <int R>
__device__ __forceinline__ void round_to_operand(unsigned (&p)[R / 16][4], const float (&numbers)[R / 2]) {
#pragma unroll
    for (int i = 0; i < R / 4; i++) p[i / 4][i % 4] = bf16_pair(numbers[2 * i], numbers[2 * i + 1]);
}

// The first of a thread's two rows, of those that the block owns; the other is 8 below.
__device__ __forceinline__ int first_row() {
    return (int) threadIdx.x / 32 * 16 + (int) threadIdx.x % 32 / 4;
}

// Sums times a factor for each row, to those of the `rows` of a head from `part.first` on that exist; a factor of 0 gives 0, whatever the sum.
template <int D>
__device__ __forceinline__ void store(
    real* to, const float (&sum)[D / 2], const float (&factor)[2], const Part& part, const Sizes& s, i64 rows) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = part.first + first_row() + 8 * h;
        bool exists = row < rows;
        int lane = (int) threadIdx.x % 32, four = lane % 2 * 8 + lane % 4 / 2 * 4;  // where this lane's neighbours are, after an exchange
        real* line = to + ((part.batch * rows + row) * s.heads + part.head) * D + four;
        float f = factor[h];
#pragma unroll
        for (int j = 0; j < D; j += 16) {
            const float* two = sum + j / 2 + 2 * h;
            uint2 pairs = {};
            if (f != 0.f) pairs.x = bf16_pair(two[0] * f, two[1] * f), pairs.y = bf16_pair(two[4] * f, two[5] * f);
            pairs = exchanged(pairs);
            if (exists) *reinterpret_cast<uint2*>(line + j) = pairs;
        }
    }
}
