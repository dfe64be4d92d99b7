// Scaled dot-product attention in tiles, without the matrix of scores (Dao et al. 2022, FlashAttention; the running softmax is Milakov &
// Gimelshein 2018).
//
//     s = scale · q kᵀ + bias + mask        y = softmax(s) v        logsumexp = log Σ exp s, kept for the way back
//
// q, y [batch, length, heads, width] · k, v [batch, keys, heads, width] · logsumexp [batch, heads, length] · bias and mask: attention.cuh. Of
// batch entry b, only the first key_lengths[b] keys count (null: all); without any key y is 0 and the logsumexp −∞.
//
// Begin with `attention_naive`: a thread a query, three loops. The others give the same, with tiles: a block owns OWN = 64 queries. Tiles of
// keys go by: scores of 64 × N in registers, the running maximum and sum brought up to date, probabilities to shared memory, y += p v in
// registers. What a block owns is loaded once. Pieces and who has what: attention_tiles.cuh. The way back: attention_back.cu.
//
// Blocks: batch · heads · tiles · chunks, neighbours share a head. Shared memory: bytes as in Attention.sharedBytes, up to 94 KB. Ideal
// traffic: every operand once; what goes by is read again by each of the length/64 blocks of a head, mostly from the second-level cache.
// Java: backend/cuda/Attention.java, tensor/Attention.java.
#include "attention_tiles.cuh"

// One thread a query; y holds its own running sum. To read, and to check the others against.
KERNEL attention_naive(
    real* y, float* logsumexp, const real* q, const real* k, const real* v, const i64* key_lengths, Sizes s, float scale,
    Added<real> added) {
    for (i64 i = thread_number(); i < s.batch * s.heads * s.length; i += thread_count()) {
        i64 query = i % s.length, head = i / s.length % s.heads, b = i / s.length / s.heads;
        i64 stride = s.heads * s.width, own = (b * s.length + query) * stride + head * s.width;
        i64 first = b * s.keys * stride + head * s.width, keys = keys_of(s, key_lengths, b);
        Added<real> mine = added_to(added, s, b, head);
        float most = -INFINITY, sum = 0.f;
        for (i64 d = 0; d < s.width; d++) put(y + own + d, 0.f);
        for (i64 key = 0; key < keys; key++) {
            float score = 0.f;
            for (i64 d = 0; d < s.width; d++) score += at(q, own + d) * at(k, first + key * stride + d);
            score = score * scale + added_at(mine, query * s.keys + key);
            float before = most;
            most = fmaxf(most, score);
            float shrink = expf(before - most), p = expf(score - most);
            sum = sum * shrink + p;
            for (i64 d = 0; d < s.width; d++) put(y + own + d, at(y, own + d) * shrink + p * at(v, first + key * stride + d));
        }
        for (i64 d = 0; d < s.width && keys > 0; d++) put(y + own + d, at(y, own + d) / sum);
        put(logsumexp + i, most + logf(sum));
    }
}

template <int D, int N, bool WIDE>
__device__ inline void forward(
    real* y, float* logsumexp, const real* q, const real* k, const real* v, const i64* key_lengths, const Sizes& s, float scale,
    const Added<real>& added) {
    DYNAMIC_SHARED(float, shared);
    float* own = shared;
    float* stream = own + OWN * (D + 4);
    float* tile = stream + 16 * N * (D + 4);

    Part part = part_of(s, s.length, D);
    int tx = (int) threadIdx.x % 16, ty = (int) threadIdx.x / 16;
    i64 stride = s.heads * s.width, from = WIDE ? part.chunk * D : 0, rows = s.length - part.first, keys = keys_of(s, key_lengths, part.b);
    i64 queries = (part.b * s.length + part.first) * stride + part.head * s.width;
    i64 first_key = part.b * s.keys * stride + part.head * s.width;
    Added<real> mine = added_to(added, s, part.b, part.head);
    if (!WIDE) load_tile<OWN, D>(own, q + queries, stride, rows, s.width);

    float sum[4][D / 16] = {}, most[4], total[4];
#pragma unroll
    for (int i = 0; i < 4; i++) most[i] = -INFINITY, total[i] = 0.f;
    for (i64 key = 0; key < keys; key += 16 * N) {
        float p[4][N] = {};
        const real* k_tile = k + first_key + key * stride;
        add_all_scores<D, N, WIDE>(p, own, stream, q + queries, rows, k_tile, keys - key, stride, s.width);
        int end = (int) min(keys - key, (i64) 16 * N);
        float left = add_to_scores<N, false>(p, scale, mine, s.keys, part.first, rows, key, end);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float before = most[i], now = 0.f;
#pragma unroll
            for (int j = 0; j < N; j++) {
                p[i][j] = tx + 16 * j < end ? p[i][j] * left : -INFINITY;
                most[i] = fmaxf(most[i], p[i][j]);
            }
            most[i] = half_warp_max(most[i]);
#pragma unroll
            for (int j = 0; j < N; j++) now += p[i][j] = expf(p[i][j] - most[i]);
            float shrink = expf(before - most[i]);
            total[i] = total[i] * shrink + half_warp_sum(now);
#pragma unroll
            for (int c = 0; c < D / 16; c++) sum[i][c] *= shrink;
        }
        store_tile<N>(tile, p);
        __syncthreads();
        load_tile<16 * N, D>(stream, v + first_key + key * stride + from, stride, keys - key, s.width - from);
        __syncthreads();
        add_products<D, N>(sum, tile, stream);
    }

    float factor[4];
#pragma unroll
    for (int i = 0; i < 4; i++) factor[i] = total[i] == 0.f ? 0.f : 1.f / total[i];
    store_rows<D>(y + queries + from, sum, factor, stride, rows, s.width - from);
    if (part.chunk > 0 || tx > 0) return;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        if (4 * ty + i < rows) put(logsumexp + part.item * s.length + part.first + 4 * ty + i, most[i] + logf(total[i]));
    }
}

// ---- one kernel a width: tiles of D columns, 16·N rows go by at a time --------------------------------------------------------------

#define PARAMETERS                                                                                                                    \
    real *y, float *logsumexp, const real *q, const real *k, const real *v, const i64 *key_lengths, Sizes s, float scale, Added<real> added
#define ARGUMENTS y, logsumexp, q, k, v, key_lengths, s, scale, added

KERNEL attention_wide(PARAMETERS) {
    forward<128, 4, true>(ARGUMENTS);
}

// From here on, with so few registers that a multiprocessor holds two blocks.
#undef KERNEL
#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS, 2)

KERNEL attention_32(PARAMETERS) {
    forward<32, 4, false>(ARGUMENTS);
}

KERNEL attention_64(PARAMETERS) {
    forward<64, 4, false>(ARGUMENTS);
}

KERNEL attention_128(PARAMETERS) {
    forward<128, 4, false>(ARGUMENTS);
}
