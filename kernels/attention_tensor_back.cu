// The way back through the attention of attention_tensor.cu; read that file first.
//
//     p = exp(s − logsumexp)        dv = pᵀ dy        dp = dy vᵀ        δ = Σ over the width of dy·y, as attention_back.cu computes it
//     ds = p · (dp − δ)             dq = scale · ds k         dk = scale · dsᵀ q
//
//     to queries    a block of 4 warps owns 128 queries, tiles of 32 keys and values go by.
//     to keys       owns 64 keys, tiles of 32 queries and dy go by. dv and dk want pᵀ and dsᵀ: scores are transposed there, keys being rows.
//
// p and ds, rounded to bf16, are operands as they come out of the tensor cores. Blocks: batch · heads · tiles, neighbours share a head. Shared
// memory: as in TensorAttention, up to 97 KiB. Ideal traffic: every operand once. Java: backend/cuda/TensorAttention.java.
#include "attention_fragments.cuh"

// Two pairs of tiles of k and v: one is on its way while the other is multiplied.
template <int D, bool ADDED>
__device__ __forceinline__ void to_queries(
    bf16* dq, const bf16* dy, const float* logsumexp, const float* delta, const bf16* q, const bf16* k, const bf16* v,
    const i64* key_lengths, const Sizes& s, float scale,
    const Added<bf16>& added) {
    const int N = 32, OWN = 16 * M * WARPS, TILE = N * D;
    DYNAMIC_SHARED(bf16, shared);
    bf16* own_dy = shared + OWN * D;
    bf16* tiles = own_dy + OWN * D;

    Part part = part_of(s, s.length, OWN);
    int warp_row = (int) threadIdx.x / 32 * 16 * M;
    i64 stride = s.heads * s.width, rows = s.length - part.first, keys = keys_of(s, key_lengths, part.b);
    i64 queries = (part.b * s.length + part.first) * stride + part.head * s.width;
    k += part.b * s.keys * stride + part.head * s.width;
    v += part.b * s.keys * stride + part.head * s.width;
    Added<bf16> terms = added_to(added, s, part.b, part.head);
    if (keys > 0) {
        fetch<OWN, D>(shared, q + queries, stride, rows, s.width);
        fetch<OWN, D>(own_dy, dy + queries, stride, rows, s.width);
        fetch<N, D>(tiles, k, stride, keys, s.width);
        fetch<N, D>(tiles + TILE, v, stride, keys, s.width);
        copies_end();
    }

    // A row's logsumexp, as a power of 2, and −δ; registers are scarce.
    Two* row = reinterpret_cast<Two*>(tiles + 4 * TILE);
    static_assert(OWN == THREADS);
    i64 query = part.item * s.length + part.first + threadIdx.x;
    row[threadIdx.x] = threadIdx.x < rows ? Two{logsumexp[query] * LOG2_E, -delta[query]} : Two{0.f, 0.f};
    row += warp_row;

    float sum[M][D / 8][4] = {}, unit = scale * LOG2_E;
    int pair = 0;
    for (i64 first_key = 0; keys > 0; keys -= N, first_key += N) {
        const bf16* k_tile = tiles + pair * 2 * TILE;
        float p[M][N / 8][4] = {}, ds[M][N / 8][4];
        if (ADDED) begin_scores<N, false>(p, terms, 1.f / scale, s.keys, part.first + warp_row, rows - warp_row, first_key, keys);
        copies_wait<0>();
        __syncthreads();  // and the other pair is free
        pair = 1 - pair;
        if (keys > N) {
            k += N * stride;
            v += N * stride;
            fetch<N, D>(tiles + pair * 2 * TILE, k, stride, keys - N, s.width);
            fetch<N, D>(tiles + pair * 2 * TILE + TILE, v, stride, keys - N, s.width);
            copies_end();
        }
        add_scores<D, N>(p, shared + warp_row * D, k_tile);
        if (keys < N) leave_out<N>(p, keys);
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                Two mine = row[row_of(m, i / 2)];
#pragma unroll
                for (int n = 0; n < N / 8; n++) {
                    p[m][n][i] = power_of_2(p[m][n][i] * unit - mine.x);
                    ds[m][n][i] = mine.y;
                }
            }
        }
        add_scores<D, N>(ds, own_dy + warp_row * D, k_tile + TILE);
#pragma unroll
        for (int n = 0; n < N / 8; n += 2) {
            unsigned a[M][4];
#pragma unroll
            for (int m = 0; m < M; m++) {
#pragma unroll
                for (int i = 0; i < 8; i++) ds[m][n + i / 4][i % 4] *= p[m][n + i / 4][i % 4];
                round_to_operand(a[m], ds[m][n], ds[m][n + 1]);
            }
            add_products<D>(sum, a, k_tile + 8 * n * D);
        }
    }

    float factor[M][2];
#pragma unroll
    for (int m = 0; m < M; m++) factor[m][0] = factor[m][1] = scale;
    store_rows<D>(dq + queries + warp_row * stride, sum, factor, stride, rows - warp_row, s.width);
}

// The same the other way round: a block owns keys, queries go by, and scores are transposed. The sums of dk and dv are too much for one
// warp, so two share 32 keys: the first has dv, and computes s and p; the second has dk, and computes dp meanwhile. Then it gets p from the
// first, lane by lane, as operands.
template <int D, bool ADDED>
__device__ __forceinline__ void to_keys(
    bf16* dk, bf16* dv, const bf16* dy, const float* logsumexp, const float* delta, const bf16* q, const bf16* k, const bf16* v,
    const i64* key_lengths, const Sizes& s, float scale,
    const Added<bf16>& added) {
    const int N = 32, OWN = 16 * M * WARPS / 2, TILE = N * D;
    DYNAMIC_SHARED(bf16, shared);
    bf16* own_v = shared + OWN * D;
    bf16* tiles = own_v + OWN * D;
    uint4* given = reinterpret_cast<uint4*>(tiles + 4 * TILE);
    Two* columns = reinterpret_cast<Two*>(given + 32 * M * N / 16 * WARPS / 2);

    Part part = part_of(s, s.keys, OWN);
    int thread = (int) threadIdx.x, couple = thread / 64, warp_row = couple * 16 * M;
    bool second = thread / 32 % 2 == 1;
    i64 stride = s.heads * s.width, rows = s.keys - part.first, owned = keys_of(s, key_lengths, part.b) - part.first;
    i64 keys = (part.b * s.keys + part.first) * stride + part.head * s.width, length = owned > 0 ? s.length : 0;
    q += part.b * s.length * stride + part.head * s.width;
    dy += part.b * s.length * stride + part.head * s.width;

    Added<bf16> terms = added_to(added, s, part.b, part.head);

    // Thread i of the first N brings the logsumexp of query i of a tile, as a power of 2, the next N their δ. Beyond the last, p is 0.
    float* bring = reinterpret_cast<float*>(columns);
    const float* mine = (thread < N ? logsumexp : delta) + part.item * s.length + thread % N;
    float to_power = thread < N ? LOG2_E : 1.f, none = thread < N ? INFINITY : 0.f;
    if (length > 0) {
        fetch<OWN, D>(shared, k + keys, stride, owned, s.width);
        fetch<OWN, D>(own_v, v + keys, stride, owned, s.width);
        fetch<N, D>(tiles, q, stride, length, s.width);
        fetch<N, D>(tiles + TILE, dy, stride, length, s.width);
        copies_end();
        if (thread < 2 * N) bring[thread] = thread % N < length ? *mine * to_power : none;
    }
    const bf16* own = (second ? own_v : shared) + warp_row * D;
    given += couple * 32 * M * N / 16 + thread % 32;

    float sum[M][D / 8][4] = {}, unit = scale * LOG2_E;
    int pair = 0;
    for (i64 query = 0; length > 0; length -= N, query += N) {
        const bf16* q_tile = tiles + pair * 2 * TILE;
        const bf16* dy_tile = q_tile + TILE;
        const Two* column = columns + (pair * 2 + second) * N / 2 + thread % 4;
        copies_wait<0>();
        __syncthreads();  // and the other pair is free
        pair = 1 - pair;
        if (length > N) {
            q += N * stride;
            dy += N * stride;
            fetch<N, D>(tiles + pair * 2 * TILE, q, stride, length - N, s.width);
            fetch<N, D>(tiles + pair * 2 * TILE + TILE, dy, stride, length - N, s.width);
            copies_end();
        }
        mine += N;
        float brought = thread < 2 * N && thread % N < length - N ? *mine * to_power : none;

        float scores[M][N / 8][4] = {};  // s, or dp
        if (ADDED && !second) {
            begin_scores<N, true>(
                scores, terms, 1.f / scale, s.keys, part.first + warp_row, s.keys - part.first - warp_row, query, length);
        }
        add_scores<D, N>(scores, own, second ? dy_tile : q_tile);
        unsigned a[N / 16][M][4];        // p, or ds
        if (!second) {
#pragma unroll
            for (int n = 0; n < N / 16; n++) {
                Two at[2] = {column[8 * n], column[8 * n + 4]};
#pragma unroll
                for (int m = 0; m < M; m++) {
#pragma unroll
                    for (int i = 0; i < 8; i++) {
                        float& one = scores[m][2 * n + i / 4][i % 4];
                        one = power_of_2(one * unit - (i % 2 == 0 ? at[i / 4].x : at[i / 4].y));
                    }
                    round_to_operand(a[n][m], scores[m][2 * n], scores[m][2 * n + 1]);
                    given[(n * M + m) * 32] = uint4{a[n][m][0], a[n][m][1], a[n][m][2], a[n][m][3]};
                }
            }
        }
        if (thread < 2 * N) bring[pair * 2 * N + thread] = brought;
        __syncthreads();
#pragma unroll
        for (int n = 0; n < N / 16; n++) {
            if (second) {
                Two less[2] = {column[8 * n], column[8 * n + 4]};
#pragma unroll
                for (int m = 0; m < M; m++) {
                    uint4 p = given[(n * M + m) * 32];
                    unsigned pairs[4] = {p.x, p.y, p.z, p.w};
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        const float* dp = scores[m][2 * n + i / 2] + i % 2 * 2;
                        a[n][m][i] = bf16_pair(
                            low_of(pairs[i]) * (dp[0] - less[i / 2].x), high_of(pairs[i]) * (dp[1] - less[i / 2].y));
                    }
                }
            }
            add_products<D>(sum, a[n], (second ? q_tile : dy_tile) + 16 * n * D);
        }
    }

    float factor[M][2];
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) factor[m][h] = warp_row + row_of(m, h) >= owned ? 0.f : second ? scale : 1.f;
    }
    store_rows<D>((second ? dk : dv) + keys + warp_row * stride, sum, factor, stride, rows - warp_row, s.width);
}

// ---- one kernel a width -------------------------------------------------------------------------------------------------------------

#define SEEN                                                                                                                \
    const bf16 *dy, const float *logsumexp, const float *delta, const bf16 *q, const bf16 *k, const bf16 *v, const i64 *key_lengths, \
        Sizes s, float scale, Added<bf16> added
#define ARGUMENTS dy, logsumexp, delta, q, k, v, key_lengths, s, scale, added

// With so few registers that a multiprocessor holds two blocks.
#undef KERNEL
#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS, 2)

KERNEL attention_tensor_to_queries_32(bf16* dq, SEEN) {
    to_queries<32, false>(dq, ARGUMENTS);
}

KERNEL attention_tensor_to_queries_64(bf16* dq, SEEN) {
    to_queries<64, false>(dq, ARGUMENTS);
}

KERNEL attention_tensor_to_queries_128(bf16* dq, SEEN) {
    to_queries<128, false>(dq, ARGUMENTS);
}

KERNEL attention_tensor_to_queries_32_added(bf16* dq, SEEN) {
    to_queries<32, true>(dq, ARGUMENTS);
}

KERNEL attention_tensor_to_queries_64_added(bf16* dq, SEEN) {
    to_queries<64, true>(dq, ARGUMENTS);
}

KERNEL attention_tensor_to_queries_128_added(bf16* dq, SEEN) {
    to_queries<128, true>(dq, ARGUMENTS);
}

KERNEL attention_tensor_to_keys_32(bf16* dk, bf16* dv, SEEN) {
    to_keys<32, false>(dk, dv, ARGUMENTS);
}

KERNEL attention_tensor_to_keys_64(bf16* dk, bf16* dv, SEEN) {
    to_keys<64, false>(dk, dv, ARGUMENTS);
}

KERNEL attention_tensor_to_keys_128(bf16* dk, bf16* dv, SEEN) {
    to_keys<128, false>(dk, dv, ARGUMENTS);
}

KERNEL attention_tensor_to_keys_32_added(bf16* dk, bf16* dv, SEEN) {
    to_keys<32, true>(dk, dv, ARGUMENTS);
}

KERNEL attention_tensor_to_keys_64_added(bf16* dk, bf16* dv, SEEN) {
    to_keys<64, true>(dk, dv, ARGUMENTS);
}

KERNEL attention_tensor_to_keys_128_added(bf16* dk, bf16* dv, SEEN) {
    to_keys<128, true>(dk, dv, ARGUMENTS);
}
