// The attention of attention.cu by tensor cores, for numbers stored as bf16; read that file first, formulas and layouts are the same.
//
//     s = scale · q kᵀ        y = softmax(s) v        logsumexp = log Σ exp s, kept for the way back
//     p = exp(s − logsumexp)  dv = pᵀ dy              dp = dy vᵀ              δ = Σ over the width of dy·y
//     ds = p · (dp − δ)       dq = scale · ds k       dk = scale · dsᵀ q
//
// A block of 4 warps owns 128 queries, or 64 keys; tiles of N rows of the other side go by, and copies bring the next one to shared memory
// while this one is multiplied. A warp has 32 rows, since what it reads of a tile serves them all: reading is what takes longest.
//
//     scores        s and dp: owned rows and streamed ones both lie along the width, whose elements are the terms.
//     softmax       a row of scores is in one quad of lanes. What is subtracted from scores need not be their maximum: a reference near it
//                   will do, and is raised when a score exceeds it by more than 2⁸, which after the first tiles is rare. Exponentials are
//                   powers of 2, with log₂ e in the scale: a multiply-add and an exponential a score.
//     sums          p and ds, rounded to bf16, are operands as they come out of the tensor cores (tensor_cores.cuh). The rows that go by
//                   are the terms now, and are read transposed. dv and dk want pᵀ and dsᵀ: there, the scores are transposed.
//
// Sums are floats, each with one owner and one order: no atomics. The width, a multiple of 8, is filled up with zeros to D = 32, 64 or 128.
// Everything is bf16, whatever `real` is.
//
// Blocks: batch · heads · tiles, neighbours share a head. Shared memory: as in TensorAttention, up to 97 KiB. Ideal traffic: every operand
// once; what goes by is read again by each block of a head, from the second-level cache. What limits: kernels/README.md.
// Java: backend/cuda/TensorAttention.java.
#include "tensor_cores.cuh"

// A warp has 16·M rows.
enum { WARPS = 4, THREADS = 32 * WARPS, M = 2 };

static const float LOG2_E = 1.44269504f, LN_2 = 0.69314718f;

// By how much a score may exceed the reference, as a power of 2.
static const float HEADROOM = 8.f;

struct Sizes {
    i64 batch, heads, length, keys, width;
};

// How many keys of a batch entry count.
__device__ inline i64 keys_of(const Sizes& s, const i64* key_lengths, i64 b) {
    return key_lengths == nullptr ? s.keys : min(key_lengths[b], s.keys);
}

// This block's part of the work: one head of one batch entry, owned rows from `first` on.
struct Part {
    i64 item, b, head, first;
};

__device__ inline Part part_of(const Sizes& s, i64 owned, int own) {
    i64 tiles = (owned + own - 1) / own, item = blockIdx.x / tiles;
    return Part{item, item / s.heads, item % s.heads, blockIdx.x % tiles * own};
}

// ---- pieces -------------------------------------------------------------------------------------------------------------------------

// 2 to the power of x, by one instruction; 0 below 2⁻¹²⁶
__device__ __forceinline__ float power_of_2(float x) {
#ifdef OTHERWISE_EMULATION
    return exp2f(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
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

// A lane's rows: 16·m + 8·h + lane/4, with h = 0 or 1.
__device__ __forceinline__ int row_of(int m, int h) {
    return 16 * m + 8 * h + (int) threadIdx.x % 32 / 4;
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

// Over the quad of lanes that has a row
__device__ __forceinline__ float quad_sum(float v) {
    v += __shfl_xor_sync(ALL_LANES, v, 1);
    return v + __shfl_xor_sync(ALL_LANES, v, 2);
}

__device__ __forceinline__ float quad_max(float v) {
    v = fmaxf(v, __shfl_xor_sync(ALL_LANES, v, 1));
    return fmaxf(v, __shfl_xor_sync(ALL_LANES, v, 2));
}

// ---- forward ------------------------------------------------------------------------------------------------------------------------

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
template <int D>
__device__ __forceinline__ void forward(
    bf16* y, float* logsumexp, const bf16* q, const bf16* k, const bf16* v, const i64* key_lengths, const Sizes& s, float scale) {
    const int N = 64, OWN = 16 * M * WARPS, TILE = N * D;
    DYNAMIC_SHARED(bf16, shared);
    bf16* ring = shared + OWN * D;

    Part part = part_of(s, s.length, OWN);
    int warp_row = (int) threadIdx.x / 32 * 16 * M;
    i64 stride = s.heads * s.width, rows = s.length - part.first, keys = keys_of(s, key_lengths, part.b);
    i64 queries = (part.b * s.length + part.first) * stride + part.head * s.width;
    k += part.b * s.keys * stride + part.head * s.width;
    v += part.b * s.keys * stride + part.head * s.width;
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
    for (; keys > 0; keys -= N) {
        float p[M][N / 8][4] = {};
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

// ---- backward -----------------------------------------------------------------------------------------------------------------------

// Two pairs of tiles of k and v: one is on its way while the other is multiplied.
template <int D>
__device__ __forceinline__ void to_queries(
    bf16* dq, const bf16* dy, const float* logsumexp, const float* delta, const bf16* q, const bf16* k, const bf16* v,
    const i64* key_lengths, const Sizes& s, float scale) {
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
    for (; keys > 0; keys -= N) {
        const bf16* k_tile = tiles + pair * 2 * TILE;
        float p[M][N / 8][4] = {}, ds[M][N / 8][4];
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
template <int D>
__device__ __forceinline__ void to_keys(
    bf16* dk, bf16* dv, const bf16* dy, const float* logsumexp, const float* delta, const bf16* q, const bf16* k, const bf16* v,
    const i64* key_lengths, const Sizes& s, float scale) {
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
    for (; length > 0; length -= N) {
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

// With so few registers that a multiprocessor holds two blocks.
#undef KERNEL
#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS, 2)

KERNEL attention_tensor_32(
    bf16* y, float* logsumexp, const bf16* q, const bf16* k, const bf16* v, const i64* key_lengths, Sizes s, float scale) {
    forward<32>(y, logsumexp, q, k, v, key_lengths, s, scale);
}

KERNEL attention_tensor_64(
    bf16* y, float* logsumexp, const bf16* q, const bf16* k, const bf16* v, const i64* key_lengths, Sizes s, float scale) {
    forward<64>(y, logsumexp, q, k, v, key_lengths, s, scale);
}

KERNEL attention_tensor_128(
    bf16* y, float* logsumexp, const bf16* q, const bf16* k, const bf16* v, const i64* key_lengths, Sizes s, float scale) {
    forward<128>(y, logsumexp, q, k, v, key_lengths, s, scale);
}

KERNEL attention_tensor_to_queries_32(
    bf16* dq, const bf16* dy, const float* logsumexp, const float* delta, const bf16* q, const bf16* k, const bf16* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_queries<32>(dq, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}

KERNEL attention_tensor_to_queries_64(
    bf16* dq, const bf16* dy, const float* logsumexp, const float* delta, const bf16* q, const bf16* k, const bf16* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_queries<64>(dq, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}

KERNEL attention_tensor_to_queries_128(
    bf16* dq, const bf16* dy, const float* logsumexp, const float* delta, const bf16* q, const bf16* k, const bf16* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_queries<128>(dq, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}

KERNEL attention_tensor_to_keys_32(
    bf16* dk, bf16* dv, const bf16* dy, const float* logsumexp, const float* delta, const bf16* q, const bf16* k, const bf16* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_keys<32>(dk, dv, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}

KERNEL attention_tensor_to_keys_64(
    bf16* dk, bf16* dv, const bf16* dy, const float* logsumexp, const float* delta, const bf16* q, const bf16* k, const bf16* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_keys<64>(dk, dv, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}

KERNEL attention_tensor_to_keys_128(
    bf16* dk, bf16* dv, const bf16* dy, const float* logsumexp, const float* delta, const bf16* q, const bf16* k, const bf16* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_keys<128>(dk, dv, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}
