// The attention of attention_tensor.cu, forward, on a Hopper GPU, for heads of D = 64 or 128 columns; formulas and layouts are the same.
//
//     s = scale · q kᵀ        y = softmax(s) v        logsumexp = log Σ exp s, kept for the way back
//
// How the parts of a multiprocessor are kept busy side by side is that of FlashAttention-3 (Shah et al. 2024). A block makes tiles of 128
// queries of a head. One thread of its third warp group fetches: it asks the copy engine for the queries of a tile, and for the tiles of
// 128 keys and their values, which go through a ring of stages. The first two warp groups have 64 of the queries each. For 128 keys,
//
//     scores     [64, 128] = q [64, D] · kᵀ, out of shared memory into 64 registers of a thread
//     softmax    where the scores lie: powers of 2, over a reference that is raised when they outgrow it (attention_softmax.cuh)
//     sums       [64, D] += p [64, 128] · v. The powers, rounded to pairs of bf16, already lie as the left side of a product is read out of
//                registers, so they never see shared memory.
//
// A multiprocessor computes 16 exponentials in a cycle: at D = 128 half as long as the products of the same scores, which must hide them:
//
//     in a group         the scores of a tile are begun before the sums of the one before it, so while the tensor cores make sums, the
//                        group has new scores for its softmax;
//     between groups     they take turns in beginning products: one has its softmax while the other's are at work.
//
//     group 0    k₁ v₀ | softmax₁       k₂ v₁ | softmax₂       …
//     group 1     softmax₀      k₁ v₀ | softmax₁       k₂ v₁ | …
//
// What they wait for, instead of the whole block:
//
//     full[s]          the stage's boxes have come                  empty[s]         the stage may be overwritten
//     queries_full     those of the tile have come                  queries_empty    no more scores of the tile
//     turn[g]          group g may begin products
//
// Keys go by from the last to the first: only the first tile then can have fewer than 128, what it lacks are zeros, and scores of −∞. All
// batch entries have the same number of keys; a launch is for entries of which that is so. Without keys, y = 0 and logsumexp = −∞.
//
// A result has one owner and one order of additions. Blocks take every gridDim.x-th tile; neighbours share a head. Ideal traffic: every
// operand once; keys and values are read again for each tile of 128 queries, from the second-level cache. What limits: kernels/README.md.
// The way back: attention_hopper_back.cu; pieces of both: attention_groups.cuh.
//
// Launch: as many blocks as multiprocessors, or tiles, of 384 threads. Java: backend/cuda/HopperAttention.java.
#include "attention_groups.cuh"

static const int KEYS = 128;  // of a tile
static const int STAGES = 6;

struct Barriers {
    Barrier full[STAGES], empty[STAGES], queries_full, queries_empty, turn[2];
};

// Of both of its rows a thread adds up what it has in even columns and in odd ones: four sums, with the places of four neighbouring registers.
struct Softmax {
    float unit;  // makes scores powers of 2
    float reference[2] = {-INFINITY, -INFINITY}, shrink[2] = {1.f, 1.f}, total[4] = {};

    __device__ explicit Softmax(float scale) : unit(scale * LOG2_E) {}

    // Raises references that scores have outgrown. Whether a warp has: then what was summed with the old ones has to shrink.
    __device__ __forceinline__ bool raise(const float (&scores)[KEYS / 2]) {
        float largest[4] = {scores[0], scores[1], scores[2], scores[3]};
#pragma unroll
        for (int i = 4; i < KEYS / 2; i++) largest[i % 4] = fmaxf(largest[i % 4], scores[i]);
        float most[2] = {fmaxf(largest[0], largest[1]) * unit, fmaxf(largest[2], largest[3]) * unit};
        if (!__any_sync(ALL_LANES, most[0] > reference[0] + HEADROOM || most[1] > reference[1] + HEADROOM)) return false;
#pragma unroll
        for (int h = 0; h < 2; h++) {
            float next = fmaxf(reference[h], quad_max(most[h]));
            shrink[h] = power_of_2(reference[h] - next);
            reference[h] = next;
            total[2 * h] *= shrink[h];
            total[2 * h + 1] *= shrink[h];
        }
        return true;
    }

    // Makes powers of 2 out of scores.
    __device__ __forceinline__ void powers(float (&scores)[KEYS / 2]) {
#pragma unroll
        for (int i = 0; i < KEYS / 2; i++) {
            scores[i] = power_of_2(scores[i] * unit - reference[i / 2 % 2]);
            total[i % 4] += scores[i];
        }
    }

    template <int COUNT>
    __device__ __forceinline__ void shrink_sums(float (&sum)[COUNT]) const {
#pragma unroll
        for (int i = 0; i < COUNT; i++) sum[i] *= shrink[i / 2 % 2];
    }

    // By what the sums of a row must be multiplied in the end, and the logarithm of its sum of exponentials.
    __device__ __forceinline__ void finish(float (&factor)[2], float (&logsumexp)[2]) const {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            float all = quad_sum(total[2 * h] + total[2 * h + 1]);
            factor[h] = all == 0.f ? 0.f : 1.f / all;
            logsumexp[h] = reference[h] * LN_2 + logf(all);
        }
    }
};

template <int D>
__device__ __forceinline__ void forward(
    real* y, float* logsumexp, const TensorMap* q, const TensorMap* k, const TensorMap* v, const Sizes& s, float scale) {
    const int TILE = tile_bytes<D, KEYS>();
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* queries = shared + (0u - address_in_shared(shared)) % 1024u;
    unsigned char* stages = queries + TILE;
    Barriers* b = reinterpret_cast<Barriers*>(stages + STAGES * TILE);
    if (threadIdx.x == 0) {
        for (int i = 0; i < STAGES; i++) {
            barrier_begin(b->full + i, 1);
            barrier_begin(b->empty + i, 8);
        }
        barrier_begin(&b->queries_full, 1);
        barrier_begin(&b->queries_empty, 8);
        barrier_begin(b->turn, 4);
        barrier_begin(b->turn + 1, 4);
        shared_visible();
    }
    __syncthreads();
    int all = parts(s, s.length), tiles = (int) (s.keys + KEYS - 1) / KEYS;
    Turn<STAGES> turn;
    int parity = 0;  // of the tile

    if (threadIdx.x >= FETCHER) {
        registers_give<24>();
        if (threadIdx.x != FETCHER || tiles == 0) return;
        for (int number = (int) blockIdx.x; number < all; number += (int) gridDim.x, parity ^= 1) {
            Part part(number, s, s.length);
            barrier_wait(&b->queries_empty, parity ^ 1);
            barrier_arrive_and_expect(&b->queries_full, TILE);
            fetch<D, OWN>(queries, q, part, part.first, &b->queries_full);
            auto next = [&](const TensorMap* map, int tile) {
                barrier_wait(b->empty + turn.stage, turn.parity ^ 1);
                barrier_arrive_and_expect(b->full + turn.stage, TILE);
                fetch<D, KEYS>(stages + turn.stage * TILE, map, part, tile * KEYS, b->full + turn.stage);
                turn.next();
            };
            // In the order in which they are multiplied.
            next(k, tiles - 1);
            for (int tile = tiles - 1; tile > 0; tile--) {
                next(k, tile - 1);
                next(v, tile);
            }
            next(v, 0);
        }
    } else {
        registers_take<240>();
        int group = __shfl_sync(ALL_LANES, (int) threadIdx.x / 128, 0);  // so that the compiler knows: it is the same in all lanes
        bool arrives = threadIdx.x % 32 == 0;
        const unsigned char* own = queries + group * 64 * 128;
        int turn_parity = 1 - group;  // group 0 begins
        for (int number = (int) blockIdx.x; number < all; number += (int) gridDim.x, parity ^= 1) {
            Part part(number, s, s.length);
            Softmax softmax(scale);
            float sum[D / 2] = {};
            if (tiles > 0) {
                float scores[KEYS / 2];
                unsigned p[KEYS / 16][4];
                barrier_wait(&b->queries_full, parity);
                barrier_wait(b->full + turn.stage, turn.parity);
                begin_scores<D, KEYS>(scores, own, stages + turn.stage * TILE);
                wgmma_finish(scores);
                if (arrives) barrier_arrive(b->empty + turn.stage);
                turn.next();
                leave_out(scores, s.keys - (tiles - 1) * KEYS, -INFINITY);
                softmax.raise(scores);
                softmax.powers(scores);
                round_to_operand<KEYS>(p, scores);
                barrier_wait(b->full + turn.stage, turn.parity);

                for (int tile = tiles - 1; tile > 0; tile--) {
                    Barrier* k_empty = b->empty + turn.stage;
                    barrier_wait(b->turn + group, turn_parity);
                    turn_parity ^= 1;
                    begin_scores<D, KEYS>(scores, own, stages + turn.stage * TILE);
                    turn.next();
                    barrier_wait(b->full + turn.stage, turn.parity);
                    begin_sums<D, KEYS>(sum, p, stages + turn.stage * TILE);
                    if (arrives) barrier_arrive(b->turn + 1 - group);
                    wgmma_finish<1>(scores);
                    if (arrives) barrier_arrive(k_empty);
                    bool raised = softmax.raise(scores);
                    softmax.powers(scores);
                    Barrier* v_empty = b->empty + turn.stage;
                    turn.next();
                    // Only a branch keeps the compiler from moving the powers behind the end of the sums.
                    barrier_wait(b->full + turn.stage, turn.parity);
                    wgmma_finish(sum);
                    if (arrives) barrier_arrive(v_empty);
                    if (raised) softmax.shrink_sums(sum);
                    round_to_operand<KEYS>(p, scores);
                }

                if (arrives) barrier_arrive(&b->queries_empty);
                begin_sums<D, KEYS>(sum, p, stages + turn.stage * TILE);
                wgmma_finish(sum);
                if (arrives) barrier_arrive(b->empty + turn.stage);
                turn.next();
            }
            float factor[2], logsum[2];
            softmax.finish(factor, logsum);
            store<D>(y, sum, factor, part, s, s.length);
            for (int h = 0; h < 2; h++) {
                int query = part.first + first_row() + 8 * h;
                if (query < s.length && threadIdx.x % 4 == 0) logsumexp[part.vector(s) + query] = logsum[h];
            }
        }
    }
}

#define MAP const __grid_constant__ TensorMap
#define PARAMETERS real *y, float *logsumexp, MAP q, MAP k, MAP v, Sizes s, float scale

// One block a multiprocessor: its registers are shared out between the roles.
#undef KERNEL
#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS, 1)

KERNEL attention_hopper_64(PARAMETERS) {
    forward<64>(y, logsumexp, &q, &k, &v, s, scale);
}

KERNEL attention_hopper_128(PARAMETERS) {
    forward<128>(y, logsumexp, &q, &k, &v, s, scale);
}
