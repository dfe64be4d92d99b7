// The attention of attention.cu by tensor cores, for numbers stored as bf16; read that file first, formulas and layouts are the same.
//
//     s = scale · q kᵀ + bias + mask        y = softmax(s) v        logsumexp = log Σ exp s, kept for the way back
//
// A block of 4 warps owns 128 queries; tiles of N keys and their values go by, and copies bring the next one to shared memory while this one
// is multiplied. A warp has 32 rows, since what it reads of a tile serves them all: reading is what takes longest.
//
//     scores        owned rows and streamed ones both lie along the width, whose elements are the terms. Sums begin with what is added.
//     softmax       a row of scores is in one quad of lanes; the rest is in attention_softmax.cuh.
//     sums          p, rounded to bf16, is an operand as it comes out of the tensor cores (tensor_cores.cuh). The rows that go by are the
//                   terms now, and are read transposed.
//
// Sums are floats, each with one owner and one order: no atomics. The width, a multiple of 8, is filled up with zeros to D = 32, 64 or 128.
// Everything is bf16, whatever `real` is. Kernels whose names end with _added are for scores to which something is added. The way back:
// attention_tensor_back.cu; pieces of both: attention_fragments.cuh.
//
// Blocks: batch · heads · tiles, neighbours share a head. Shared memory: as in TensorAttention, up to 80 KiB. Ideal traffic: every operand
// once; what goes by is read again by each block of a head, from the second-level cache. What limits: kernels/README.md.
// Java: backend/cuda/TensorAttention.java.
#include "attention_fragments.cuh"

// Raises the references that scores have outgrown (`unit` makes scores powers of 2), and scales what was summed with the old ones.
template <int D, int N>
__device__ __forceinline__ void raise_references(
    float (&reference)[M][2], float (&total)[M][2], float (&sum)[M][D / 8][4], const float (&s)[M][N / 8][4], float unit) {
    float most[M][2];
    bool outgrown = false;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            float largest = -INFINITY;
#pragma unroll
            for (int n = 0; n < N / 8; n++) largest = fmaxf(largest, fmaxf(s[m][n][2 * h], s[m][n][2 * h + 1]));
            most[m][h] = largest * unit;
            outgrown |= most[m][h] > reference[m][h] + HEADROOM;
        }
    }
    if (!__any_sync(ALL_LANES, outgrown)) return;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            float next = fmaxf(reference[m][h], quad_max(most[m][h])), shrink = power_of_2(reference[m][h] - next);
            reference[m][h] = next;
            total[m][h] *= shrink;
#pragma unroll
            for (int d = 0; d < D / 8; d++) sum[m][d][2 * h] *= shrink, sum[m][d][2 * h + 1] *= shrink;
        }
    }
}

// k₀ v₀ k₁ v₁ … go by in a ring of three tiles: two are on their way while one is multiplied.
template <int D, bool ADDED>
__device__ __forceinline__ void forward(
    bf16* y, float* logsumexp, const bf16* q, const bf16* k, const bf16* v, const i64* key_lengths, const Sizes& s, float scale,
    const Added<bf16>& added) {
    const int N = 64, OWN = 16 * M * WARPS, TILE = N * D;
    DYNAMIC_SHARED(bf16, shared);
    bf16* ring = shared + OWN * D;

    Part part = part_of(s, s.length, OWN);
    int warp_row = (int) threadIdx.x / 32 * 16 * M;
    i64 stride = s.heads * s.width, rows = s.length - part.first, keys = keys_of(s, key_lengths, part.b);
    i64 queries = (part.b * s.length + part.first) * stride + part.head * s.width;
    k += part.b * s.keys * stride + part.head * s.width;
    v += part.b * s.keys * stride + part.head * s.width;
    Added<bf16> terms = added_to(added, s, part.b, part.head);
    if (keys > 0) {
        fetch<OWN, D>(shared, q + queries, stride, rows, s.width);
        fetch<N, D>(ring, k, stride, keys, s.width);
        copies_end();
        fetch<N, D>(ring + TILE, v, stride, keys, s.width);
        copies_end();
    }

    float sum[M][D / 8][4] = {}, total[M][2] = {}, reference[M][2], unit = scale * LOG2_E;
#pragma unroll
    for (int m = 0; m < M; m++) reference[m][0] = reference[m][1] = -INFINITY;
    int slot = 0;
    for (i64 first_key = 0; keys > 0; keys -= N, first_key += N) {
        float p[M][N / 8][4] = {};
        if (ADDED) begin_scores<N, false>(p, terms, 1.f / scale, s.keys, part.first + warp_row, rows - warp_row, first_key, keys);
        copies_wait<1>();
        __syncthreads();  // and the slot before this one, where v was, is free
        k += N * stride;
        if (keys > N) fetch<N, D>(ring + (slot + 2) % 3 * TILE, k, stride, keys - N, s.width);
        copies_end();
        add_scores<D, N>(p, shared + warp_row * D, ring + slot * TILE);
        slot = (slot + 1) % 3;

        copies_wait<1>();
        __syncthreads();
        v += N * stride;
        if (keys > N) fetch<N, D>(ring + (slot + 2) % 3 * TILE, v, stride, keys - N, s.width);
        copies_end();
        if (keys < N) leave_out<N>(p, keys);
        raise_references<D, N>(reference, total, sum, p, unit);
#pragma unroll
        for (int n = 0; n < N / 8; n += 2) {
            unsigned a[M][4];
#pragma unroll
            for (int m = 0; m < M; m++) {
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    float& one = p[m][n + i / 4][i % 4];
                    one = power_of_2(one * unit - reference[m][i / 2 % 2]);
                    total[m][i / 2 % 2] += one;
                }
                round_to_operand(a[m], p[m][n], p[m][n + 1]);
            }
            add_products<D>(sum, a, ring + slot * TILE + 8 * n * D);
        }
        slot = (slot + 1) % 3;
    }

    float factor[M][2];
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            float all = quad_sum(total[m][h]);
            factor[m][h] = all == 0.f ? 0.f : 1.f / all;
            i64 query = part.first + warp_row + row_of(m, h);
            if (query < s.length && threadIdx.x % 4 == 0) logsumexp[part.item * s.length + query] = reference[m][h] * LN_2 + logf(all);
        }
    }
    store_rows<D>(y + queries + warp_row * stride, sum, factor, stride, rows - warp_row, s.width);
}

// ---- one kernel a width -------------------------------------------------------------------------------------------------------------

#define PARAMETERS                                                                                                                    \
    bf16 *y, float *logsumexp, const bf16 *q, const bf16 *k, const bf16 *v, const i64 *key_lengths, Sizes s, float scale, Added<bf16> added
#define ARGUMENTS y, logsumexp, q, k, v, key_lengths, s, scale, added

// With so few registers that a multiprocessor holds two blocks.
#undef KERNEL
#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS, 2)

KERNEL attention_tensor_32(PARAMETERS) {
    forward<32, false>(ARGUMENTS);
}

KERNEL attention_tensor_64(PARAMETERS) {
    forward<64, false>(ARGUMENTS);
}

KERNEL attention_tensor_128(PARAMETERS) {
    forward<128, false>(ARGUMENTS);
}

KERNEL attention_tensor_32_added(PARAMETERS) {
    forward<32, true>(ARGUMENTS);
}

KERNEL attention_tensor_64_added(PARAMETERS) {
    forward<64, true>(ARGUMENTS);
}

KERNEL attention_tensor_128_added(PARAMETERS) {
    forward<128, true>(ARGUMENTS);
}
