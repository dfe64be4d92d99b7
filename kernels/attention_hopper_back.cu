// The way back of attention_hopper.cu, which is to be read first: the attention of attention_back.cu on a Hopper GPU, for heads of D = 64 or
// 128 columns.
//
//     p = exp(s − logsumexp)  dv = pᵀ dy              dp = dy vᵀ              δ = Σ over the width of dy·y, by attention_delta
//     ds = p · (dp − δ)       dq = scale · ds k       dk = scale · dsᵀ q
//
// As in the forward pass, one warp fetches and two warp groups multiply, 64 rows each of the 128 that a block owns; p, ds and their
// transposes are made where scores lie, and are read from registers as left sides. Each result has an owner: no atomics. The price is that
// scores and dp are made twice.
//
//     to queries    owns queries and dy; k and v go by, 128 rows a tile. A thread has two rows, and so two logarithms and two δ.
//                       scores = q · kᵀ      dp = dy · vᵀ      dq += ds · k
//     to keys       owns keys and values; q and dy go by, 64 rows a tile, all that registers have room for beside two sums.
//                       scoresᵀ = k · qᵀ     dpᵀ = v · dyᵀ     dv += pᵀ · dy     dk += dsᵀ · q
//                   Logarithms and δ are of columns here: the warp that fetches puts them into the stage.
//
// Exponentials are made while the tensor cores make dp, or dv. Between the warp groups, one has its exponentials while the products of the
// other are at work: they take turns in beginning scores and dp. dp is begun only when the sums before it are done: until then its registers
// are what these read.
//
// What they wait for: full and empty of each stage, own_full and own_empty of what the block owns, turn of each group. Keys that do not
// count get zeros. Ideal traffic: every operand once; what goes by is read again for each owned tile, from the second-level cache. What
// limits: kernels/README.md.
//
// Launch: as many blocks as multiprocessors, or tiles, of 384 threads. Java: backend/cuda/HopperAttention.java.
#include "attention_groups.cuh"

template <int STAGES>
struct Barriers {
    Barrier full[STAGES], empty[STAGES], own_full, own_empty, turn[2];

    // All threads. arrivals: at `full`, of those who fetch
    __device__ __forceinline__ void begin(int arrivals) {
        if (threadIdx.x == 0) {
            for (int i = 0; i < STAGES; i++) {
                barrier_begin(full + i, arrivals);
                barrier_begin(empty + i, 8);
            }
            barrier_begin(&own_full, 1);
            barrier_begin(&own_empty, 8);
            barrier_begin(turn, 4);
            barrier_begin(turn + 1, 4);
            shared_visible();
        }
        __syncthreads();
    }
};

// ---- to queries ---------------------------------------------------------------------------------------------------------------------

template <int D>
__device__ __forceinline__ void to_queries(
    real* dq, const TensorMap* dy, const float* logsumexp, const float* delta, const TensorMap* q, const TensorMap* k, const TensorMap* v,
    const Sizes& s, float scale) {
    const int KEYS = 128, STAGES = 5, TILE = tile_bytes<D, KEYS>();
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* own_q = shared + (0u - address_in_shared(shared)) % 1024u;
    unsigned char* own_dy = own_q + TILE;
    unsigned char* stages = own_dy + TILE;
    Barriers<STAGES>* b = reinterpret_cast<Barriers<STAGES>*>(stages + STAGES * TILE);
    b->begin(1);
    int all = parts(s, s.length);
    Turn<STAGES> turn;
    int parity = 0;  // of what the block owns

    if (threadIdx.x >= FETCHER) {
        registers_give<24>();
        if (threadIdx.x != FETCHER || s.keys == 0) return;
        for (int number = (int) blockIdx.x; number < all; number += (int) gridDim.x, parity ^= 1) {
            Part part(number, s, s.length);
            barrier_wait(&b->own_empty, parity ^ 1);
            barrier_arrive_and_expect(&b->own_full, 2 * TILE);
            fetch<D, OWN>(own_q, q, part, part.first, &b->own_full);
            fetch<D, OWN>(own_dy, dy, part, part.first, &b->own_full);
            auto next = [&](const TensorMap* map, int key) {
                barrier_wait(b->empty + turn.stage, turn.parity ^ 1);
                barrier_arrive_and_expect(b->full + turn.stage, TILE);
                fetch<D, KEYS>(stages + turn.stage * TILE, map, part, key, b->full + turn.stage);
                turn.next();
            };
            for (int key = 0; key < s.keys; key += KEYS) {
                next(k, key);
                next(v, key);
            }
        }
    } else {
        registers_take<240>();
        int group = __shfl_sync(ALL_LANES, (int) threadIdx.x / 128, 0);  // so that the compiler knows: it is the same in all lanes
        bool arrives = threadIdx.x % 32 == 0;
        const unsigned char* my_q = own_q + group * 64 * 128;
        const unsigned char* my_dy = own_dy + group * 64 * 128;
        int turn_parity = 1 - group;  // group 0 begins
        float unit = scale * LOG2_E;
        for (int number = (int) blockIdx.x; number < all; number += (int) gridDim.x, parity ^= 1) {
            Part part(number, s, s.length);
            float sum[D / 2] = {}, power[2], shift[2];  // of a row: its logarithm, as a power of 2, and δ
            for (int h = 0; h < 2; h++) {
                i64 row = part.first + first_row() + 8 * h, at = part.vector(s) + row;
                power[h] = row < s.length ? logsumexp[at] * LOG2_E : 0.f;
                shift[h] = row < s.length ? delta[at] : 0.f;
            }
            if (s.keys > 0) {
                Barrier* last = nullptr;  // of the stage of the keys whose sums may still be under way
                unsigned ds[KEYS / 16][4];
                barrier_wait(&b->own_full, parity);
                for (int key = 0; key < s.keys; key += KEYS) {
                    float scores[KEYS / 2], dp[KEYS / 2];
                    const unsigned char* k_tile = stages + turn.stage * TILE;
                    Barrier* k_empty = b->empty + turn.stage;
                    barrier_wait(b->full + turn.stage, turn.parity);
                    barrier_wait(b->turn + group, turn_parity);
                    turn_parity ^= 1;
                    begin_scores<D, KEYS>(scores, my_q, k_tile);
                    wgmma_finish<1>(sum);
                    if (arrives && last != nullptr) barrier_arrive(last);
                    last = k_empty;
                    turn.next();
                    barrier_wait(b->full + turn.stage, turn.parity);
                    begin_scores<D, KEYS>(dp, my_dy, stages + turn.stage * TILE);
                    if (arrives) barrier_arrive(b->turn + 1 - group);
                    wgmma_finish<1>(scores);
#pragma unroll
                    for (int i = 0; i < KEYS / 2; i++) scores[i] = power_of_2(scores[i] * unit - power[i / 2 % 2]);
                    // No key adds nothing, but times infinity that is no number.
                    if (s.keys - key < KEYS) leave_out(scores, s.keys - key, 0.f);
                    wgmma_finish(dp);
                    if (arrives) barrier_arrive(b->empty + turn.stage);
                    turn.next();
#pragma unroll
                    for (int i = 0; i < KEYS / 2; i++) scores[i] *= dp[i] - shift[i / 2 % 2];
                    round_to_operand<KEYS>(ds, scores);
                    begin_sums<D, KEYS>(sum, ds, k_tile);
                }
                if (arrives) barrier_arrive(&b->own_empty);
                wgmma_finish(sum);
                if (arrives) barrier_arrive(last);
            }
            float factor[2] = {scale, scale};
            store<D>(dq, sum, factor, part, s, s.length);
        }
    }
}

// ---- to keys ------------------------------------------------------------------------------------------------------------------------

struct __align__(8) Two {
    float x, y;
};

template <int D>
__device__ __forceinline__ void to_keys(
    real* dk, real* dv, const TensorMap* dy, const float* logsumexp, const float* delta, const TensorMap* q, const TensorMap* k,
    const TensorMap* v, const Sizes& s, float scale) {
    const int QUERIES = 64, STAGES = 4, TILE = tile_bytes<D, QUERIES>(), OWN_TILE = tile_bytes<D, OWN>();
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* own_k = shared + (0u - address_in_shared(shared)) % 1024u;
    unsigned char* own_v = own_k + OWN_TILE;
    unsigned char* stages = own_v + OWN_TILE;
    float* rows = reinterpret_cast<float*>(stages + STAGES * 2 * TILE);  // of a stage: logarithms, as powers of 2, and then δ
    Barriers<STAGES>* b = reinterpret_cast<Barriers<STAGES>*>(rows + STAGES * 2 * QUERIES);
    b->begin(1 + 32);
    int all = parts(s, s.tokens);
    Turn<STAGES> turn;
    int parity = 0;  // of what the block owns

    if (threadIdx.x >= FETCHER) {
        registers_give<D == 64 ? 40 : 24>();
        int warp = ((int) threadIdx.x - FETCHER) / 32, lane = (int) threadIdx.x % 32, length = (int) s.length;
        if (warp > 1 || (warp == 0 && lane > 0)) return;
        for (int number = (int) blockIdx.x; number < all; number += (int) gridDim.x) {
            Part part(number, s, s.tokens);
            if (part.first >= s.keys) continue;
            if (warp == 0) {
                barrier_wait(&b->own_empty, parity ^ 1);
                parity ^= 1;
                barrier_arrive_and_expect(&b->own_full, 2 * OWN_TILE);
                fetch<D, OWN>(own_k, k, part, part.first, &b->own_full);
                fetch<D, OWN>(own_v, v, part, part.first, &b->own_full);
                for (int query = 0; query < length; query += QUERIES, turn.next()) {
                    Barrier* full = b->full + turn.stage;
                    unsigned char* stage = stages + turn.stage * 2 * TILE;
                    barrier_wait(b->empty + turn.stage, turn.parity ^ 1);
                    barrier_arrive_and_expect(full, 2 * TILE);
                    fetch<D, QUERIES>(stage, q, part, query, full);
                    fetch<D, QUERIES>(stage + TILE, dy, part, query, full);
                }
            } else {
                const float* logsumexps = logsumexp + part.vector(s);
                const float* deltas = delta + part.vector(s);
                for (int query = 0; query < length; query += QUERIES, turn.next()) {
                    float* to = rows + turn.stage * 2 * QUERIES;
                    barrier_wait(b->empty + turn.stage, turn.parity ^ 1);
#pragma unroll
                    for (int i = lane; i < QUERIES; i += 32) {
                        to[i] = query + i < length ? logsumexps[query + i] * LOG2_E : 0.f;
                        to[QUERIES + i] = query + i < length ? deltas[query + i] : 0.f;
                    }
                    barrier_arrive(b->full + turn.stage);
                }
            }
        }
    } else {
        registers_take<D == 64 ? 232 : 240>();
        int group = __shfl_sync(ALL_LANES, (int) threadIdx.x / 128, 0);  // so that the compiler knows: it is the same in all lanes
        bool arrives = threadIdx.x % 32 == 0;
        const unsigned char* my_k = own_k + group * 64 * 128;
        const unsigned char* my_v = own_v + group * 64 * 128;
        int turn_parity = 1 - group;  // group 0 begins
        float unit = scale * LOG2_E;
        for (int number = (int) blockIdx.x; number < all; number += (int) gridDim.x) {
            Part part(number, s, s.tokens);
            float sum_v[D / 2] = {}, sum_k[D / 2] = {};
            if (part.first < s.keys) {
                Barrier* last = nullptr;  // of the stage whose sums may still be under way
                unsigned p[QUERIES / 16][4], ds[QUERIES / 16][4];
                barrier_wait(&b->own_full, parity);
                parity ^= 1;
                for (int query = 0; query < s.length; query += QUERIES, turn.next()) {
                    float scores[QUERIES / 2], dp[QUERIES / 2];
                    const unsigned char* q_tile = stages + turn.stage * 2 * TILE;
                    const unsigned char* dy_tile = q_tile + TILE;
                    const Two* power = reinterpret_cast<const Two*>(rows + turn.stage * 2 * QUERIES) + threadIdx.x % 4;
                    const Two* shift = power + QUERIES / 2;
                    barrier_wait(b->full + turn.stage, turn.parity);
                    barrier_wait(b->turn + group, turn_parity);
                    turn_parity ^= 1;
                    begin_scores<D, QUERIES>(scores, my_k, q_tile);
                    wgmma_finish<1>(sum_v);
                    wgmma_finish<1>(sum_k);
                    __syncwarp();  // all lanes have read what goes with the queries
                    if (arrives && last != nullptr) barrier_arrive(last);
                    last = b->empty + turn.stage;
                    begin_scores<D, QUERIES>(dp, my_v, dy_tile);
                    if (arrives) barrier_arrive(b->turn + 1 - group);
                    wgmma_finish<1>(scores);
#pragma unroll
                    for (int j = 0; j < QUERIES / 8; j++) {
                        Two of = power[4 * j];
#pragma unroll
                        for (int i = 0; i < 4; i++) scores[4 * j + i] = power_of_2(scores[4 * j + i] * unit - (i % 2 == 0 ? of.x : of.y));
                    }
                    round_to_operand<QUERIES>(p, scores);
                    begin_sums<D, QUERIES>(sum_v, p, dy_tile);
                    wgmma_finish<1>(dp);
#pragma unroll
                    for (int j = 0; j < QUERIES / 8; j++) {
                        Two of = shift[4 * j];
#pragma unroll
                        for (int i = 0; i < 4; i++) scores[4 * j + i] *= dp[4 * j + i] - (i % 2 == 0 ? of.x : of.y);
                    }
                    round_to_operand<QUERIES>(ds, scores);
                    begin_sums<D, QUERIES>(sum_k, ds, q_tile);
                    wgmma_into_next_turn();
                }
                if (arrives) barrier_arrive(&b->own_empty);
                wgmma_finish(sum_v);
                wgmma_finish(sum_k);
                if (arrives) barrier_arrive(last);
            }
            float one[2], other[2];
            for (int h = 0; h < 2; h++) {
                bool counts = part.first + first_row() + 8 * h < s.keys;
                one[h] = counts ? 1.f : 0.f;
                other[h] = counts ? scale : 0.f;
            }
            store<D>(dv, sum_v, one, part, s, s.tokens);
            store<D>(dk, sum_k, other, part, s, s.tokens);
        }
    }
}

// ---- one kernel a width -------------------------------------------------------------------------------------------------------------

#define MAP const __grid_constant__ TensorMap
#define SEEN MAP dy, const float *logsumexp, const float *delta, MAP q, MAP k, MAP v, Sizes s, float scale

// One block a multiprocessor: its registers are shared out between the roles.
#undef KERNEL
#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS, 1)

KERNEL attention_hopper_to_queries_64(real* dq, SEEN) {
    to_queries<64>(dq, &dy, logsumexp, delta, &q, &k, &v, s, scale);
}

KERNEL attention_hopper_to_queries_128(real* dq, SEEN) {
    to_queries<128>(dq, &dy, logsumexp, delta, &q, &k, &v, s, scale);
}

KERNEL attention_hopper_to_keys_64(real* dk, real* dv, SEEN) {
    to_keys<64>(dk, dv, &dy, logsumexp, delta, &q, &k, &v, s, scale);
}

KERNEL attention_hopper_to_keys_128(real* dk, real* dv, SEEN) {
    to_keys<128>(dk, dv, &dy, logsumexp, delta, &q, &k, &v, s, scale);
}
