// The way back through the attention of attention.cu; read that file first, layouts are the same.
//
//     p = exp(s − logsumexp)        dv = pᵀ dy        dp = dy vᵀ        δ = Σ over the width of dy·y
//     ds = p · (dp − δ)             dq = scale · ds k         dk = scale · dsᵀ q         dbias = Σ over the batch of ds
//
// δ [batch, heads, length]; keys that do not count get no gradient.
//
//     to queries    a block owns 64 queries, keys go by: p again from s and logsumexp, then dq += ds k.
//     to keys       owns 64 keys, queries go by: dv += pᵀ dy, dk += dsᵀ q. Every sum has one owner and one order: no atomics.
//     to bias       owns 64 × 64 scores of a head, batch entries go by: few blocks where windows are small, which only training waits for.
//
// Blocks: batch · heads · tiles · chunks, neighbours share a head; for the bias heads · tiles of queries · tiles of keys. Shared memory: bytes
// as in Attention.sharedBytes, up to 94 KB. Ideal traffic: every operand once; what goes by is read again by each block of a head, mostly from
// the second-level cache. Java: backend/cuda/Attention.java, tensor/Attention.java.
#include "attention_tiles.cuh"

// δ [batch, heads, length] = Σ over the width of dy·y; a warp a query, blocks of 32 × 8
KERNEL attention_delta(float* delta, const real* dy, const real* y, Sizes s) {
    i64 row = (i64) blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= s.batch * s.length * s.heads) return;
    float sum = 0.f;
    for (i64 d = threadIdx.x; d < s.width; d += 32) sum += at(dy, row * s.width + d) * at(y, row * s.width + d);
    sum = warp_sum(sum);
    i64 head = row % s.heads, query = row / s.heads % s.length, b = row / s.heads / s.length;
    if (threadIdx.x == 0) delta[(b * s.heads + head) * s.length + query] = sum;
}

template <int D, int N, bool WIDE>
__device__ inline void to_queries(
    real* dq, const real* dy, const float* logsumexp, const float* delta, const real* q, const real* k, const real* v,
    const i64* key_lengths, const Sizes& s, float scale, const Added<real>& added) {
    DYNAMIC_SHARED(float, shared);
    float* own_q = shared;
    float* own_dy = own_q + OWN * (D + 4);
    float* stream = own_dy + OWN * (D + 4);
    float* tile = stream + 16 * N * (D + 4);

    Part part = part_of(s, s.length, D);
    int tx = (int) threadIdx.x % 16, ty = (int) threadIdx.x / 16;
    i64 stride = s.heads * s.width, from = WIDE ? part.chunk * D : 0, rows = s.length - part.first, keys = keys_of(s, key_lengths, part.b);
    i64 queries = (part.b * s.length + part.first) * stride + part.head * s.width;
    i64 first_key = part.b * s.keys * stride + part.head * s.width;
    if (!WIDE) {
        load_tile<OWN, D>(own_q, q + queries, stride, rows, s.width);
        load_tile<OWN, D>(own_dy, dy + queries, stride, rows, s.width);
    }

    Added<real> mine = added_to(added, s, part.b, part.head);
    int owned = (int) min(rows, (i64) OWN);
    float sum[4][D / 16] = {}, log_sum[4], less[4], factor[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        i64 query = part.item * s.length + part.first + 4 * ty + i;
        bool there = 4 * ty + i < owned;
        log_sum[i] = there ? at(logsumexp, query) : 0.f;
        less[i] = there ? delta[query] : 0.f;
        factor[i] = scale;
    }
    for (i64 key = 0; key < keys; key += 16 * N) {
        const real* k_tile = k + first_key + key * stride;
        const real* v_tile = v + first_key + key * stride;
        float ds[4][N] = {}, p[4][N] = {};
        add_all_scores<D, N, WIDE>(ds, own_dy, stream, dy + queries, rows, v_tile, keys - key, stride, s.width);
        add_all_scores<D, N, WIDE>(p, own_q, stream, q + queries, rows, k_tile, keys - key, stride, s.width);
        int end = (int) min(keys - key, (i64) 16 * N);
        float left = add_to_scores<N, false>(p, scale, mine, s.keys, part.first, owned, key, end);
#pragma unroll
        for (int i = 0; i < 4; i++) {
#pragma unroll
            for (int j = 0; j < N; j++) {
                bool counts = tx + 16 * j < end && 4 * ty + i < owned;
                ds[i][j] = counts ? expf(p[i][j] * left - log_sum[i]) * (ds[i][j] - less[i]) : 0.f;
            }
        }
        store_tile<N>(tile, ds);
        __syncthreads();
        if (WIDE) {
            load_tile<16 * N, D>(stream, k_tile + from, stride, keys - key, s.width - from);
            __syncthreads();
        }
        add_products<D, N>(sum, tile, stream);
    }
    store_rows<D>(dq + queries + from, sum, factor, stride, rows, s.width - from);
}

template <int D, int N, bool WIDE>
__device__ inline void to_keys(
    real* dk, real* dv, const real* dy, const float* logsumexp, const float* delta, const real* q, const real* k, const real* v,
    const i64* key_lengths, const Sizes& s, float scale, const Added<real>& added) {
    DYNAMIC_SHARED(float, shared);
    float* own_k = shared;
    float* own_v = own_k + OWN * (D + 4);
    float* stream = own_v + OWN * (D + 4);
    float* tile = stream + 16 * N * (D + 4);

    Part part = part_of(s, s.keys, D);
    int tx = (int) threadIdx.x % 16, ty = (int) threadIdx.x / 16;
    i64 stride = s.heads * s.width, from = WIDE ? part.chunk * D : 0, rows = s.keys - part.first;
    int owned = (int) min(keys_of(s, key_lengths, part.b) - part.first, (i64) OWN);
    i64 keys = (part.b * s.keys + part.first) * stride + part.head * s.width;
    i64 first_query = part.b * s.length * stride + part.head * s.width;
    if (!WIDE) {
        load_tile<OWN, D>(own_k, k + keys, stride, owned, s.width);
        load_tile<OWN, D>(own_v, v + keys, stride, owned, s.width);
    }

    Added<real> mine = added_to(added, s, part.b, part.head);
    float sum_k[4][D / 16] = {}, sum_v[4][D / 16] = {}, scales[4], ones[4];
#pragma unroll
    for (int i = 0; i < 4; i++) scales[i] = scale, ones[i] = 1.f;
    for (i64 query = 0; query < s.length && owned > 0; query += 16 * N) {
        i64 at_query = part.item * s.length + query + tx, tile_at = first_query + query * stride;
        int end = (int) min(s.length - query, (i64) 16 * N);
        float p[4][N] = {};
        add_all_scores<D, N, WIDE>(p, own_k, stream, k + keys, owned, q + tile_at, end, stride, s.width);
        float left = add_to_scores<N, true>(p, scale, mine, s.keys, part.first, owned, query, end);
#pragma unroll
        for (int j = 0; j < N; j++) {
            bool there = tx + 16 * j < end;
            float log_sum = there ? at(logsumexp, at_query + 16 * j) : 0.f;
#pragma unroll
            for (int i = 0; i < 4; i++) p[i][j] = there && 4 * ty + i < owned ? expf(p[i][j] * left - log_sum) : 0.f;
        }
        store_tile<N>(tile, p);
        float ds[4][N] = {};
        add_all_scores<D, N, WIDE>(ds, own_v, stream, v + keys, owned, dy + tile_at, end, stride, s.width);
        if (WIDE) {
            __syncthreads();
            load_tile<16 * N, D>(stream, dy + tile_at + from, stride, end, s.width - from);
            __syncthreads();
        }
        add_products<D, N>(sum_v, tile, stream);
#pragma unroll
        for (int j = 0; j < N; j++) {
            float less = tx + 16 * j < end ? delta[at_query + 16 * j] : 0.f;
#pragma unroll
            for (int i = 0; i < 4; i++) ds[i][j] = p[i][j] * (ds[i][j] - less);
        }
        __syncthreads();
        store_tile<N>(tile, ds);
        load_tile<16 * N, D>(stream, q + tile_at + from, stride, end, s.width - from);
        __syncthreads();
        add_products<D, N>(sum_k, tile, stream);
    }
    store_rows<D>(dk + keys + from, sum_k, scales, stride, rows, s.width - from);
    store_rows<D>(dv + keys + from, sum_v, ones, stride, rows, s.width - from);
}

// The gradient to the bias: a block owns the scores of 64 queries and 16·N keys of one head, and all batch entries go by. What it needs of
// them comes anew for each, in chunks of D columns.
template <int D, int N>
__device__ inline void to_bias(
    real* dbias, const real* dy, const float* logsumexp, const float* delta, const real* q, const real* k, const real* v,
    const i64* key_lengths, const Sizes& s, float scale, const Added<real>& added) {
    DYNAMIC_SHARED(float, shared);
    float* own = shared;
    float* stream = own + OWN * (D + 4);

    i64 query_tiles = (s.length + OWN - 1) / OWN, key_tiles = (s.keys + 16 * N - 1) / (16 * N);
    i64 key = blockIdx.x % key_tiles * 16 * N, first = blockIdx.x / key_tiles % query_tiles * OWN, head = blockIdx.x / key_tiles / query_tiles;
    int tx = (int) threadIdx.x % 16, ty = (int) threadIdx.x / 16, owned = (int) min(s.length - first, (i64) OWN);
    i64 stride = s.heads * s.width;
    float sum[4][N] = {};
    for (i64 b = 0; b < s.batch; b++) {
        int end = (int) min(keys_of(s, key_lengths, b) - key, (i64) 16 * N);
        if (end <= 0) continue;
        i64 queries = (b * s.length + first) * stride + head * s.width, keys = (b * s.keys + key) * stride + head * s.width;
        float ds[4][N] = {}, p[4][N] = {};
        add_all_scores<D, N, true>(ds, own, stream, dy + queries, owned, v + keys, end, stride, s.width);
        add_all_scores<D, N, true>(p, own, stream, q + queries, owned, k + keys, end, stride, s.width);
        float left = add_to_scores<N, false>(p, scale, added_to(added, s, b, head), s.keys, first, owned, key, end);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            i64 query = (b * s.heads + head) * s.length + first + 4 * ty + i;
            bool there = 4 * ty + i < owned;
            float log_sum = there ? logsumexp[query] : 0.f, less = there ? delta[query] : 0.f;
#pragma unroll
            for (int j = 0; j < N; j++) {
                if (there && tx + 16 * j < end) sum[i][j] += expf(p[i][j] * left - log_sum) * (ds[i][j] - less);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < N; j++) {
            if (4 * ty + i >= owned || key + tx + 16 * j >= s.keys) continue;
            put(dbias + (head * s.length + first + 4 * ty + i) * s.keys + key + tx + 16 * j, sum[i][j]);
        }
    }
}

// ---- one kernel a width: tiles of D columns, 16·N rows go by at a time --------------------------------------------------------------

#define SEEN                                                                                                                \
    const real *dy, const float *logsumexp, const float *delta, const real *q, const real *k, const real *v, const i64 *key_lengths, \
        Sizes s, float scale, Added<real> added
#define ARGUMENTS dy, logsumexp, delta, q, k, v, key_lengths, s, scale, added

KERNEL attention_to_queries_wide(real* dq, SEEN) {
    to_queries<128, 2, true>(dq, ARGUMENTS);
}

KERNEL attention_to_keys_wide(real* dk, real* dv, SEEN) {
    to_keys<128, 2, true>(dk, dv, ARGUMENTS);
}

// From here on, with so few registers that a multiprocessor holds two blocks.
#undef KERNEL
#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS, 2)

KERNEL attention_to_queries_32(real* dq, SEEN) {
    to_queries<32, 4, false>(dq, ARGUMENTS);
}

KERNEL attention_to_queries_64(real* dq, SEEN) {
    to_queries<64, 4, false>(dq, ARGUMENTS);
}

KERNEL attention_to_queries_128(real* dq, SEEN) {
    to_queries<128, 2, false>(dq, ARGUMENTS);
}

KERNEL attention_to_keys_32(real* dk, real* dv, SEEN) {
    to_keys<32, 4, false>(dk, dv, ARGUMENTS);
}

KERNEL attention_to_keys_64(real* dk, real* dv, SEEN) {
    to_keys<64, 4, false>(dk, dv, ARGUMENTS);
}

KERNEL attention_to_keys_128(real* dk, real* dv, SEEN) {
    to_keys<128, 2, false>(dk, dv, ARGUMENTS);
}

KERNEL attention_to_bias_32(real* dbias, SEEN) {
    to_bias<32, 4>(dbias, ARGUMENTS);
}

KERNEL attention_to_bias_64(real* dbias, SEEN) {
    to_bias<64, 4>(dbias, ARGUMENTS);
}

KERNEL attention_to_bias_128(real* dbias, SEEN) {
    to_bias<128, 4>(dbias, ARGUMENTS);
}
