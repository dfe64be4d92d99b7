// Scaled dot-product attention in tiles, without the matrix of scores (Dao et al. 2022, FlashAttention; the running softmax is Milakov &
// Gimelshein 2018).
//
//     s = scale · q kᵀ        y = softmax(s) v        logsumexp = log Σ exp s, kept for the way back
//     p = exp(s − logsumexp)  dv = pᵀ dy              dp = dy vᵀ              δ = Σ over the width of dy·y
//     ds = p · (dp − δ)       dq = scale · ds k       dk = scale · dsᵀ q
//
// q, y [batch, length, heads, width] · k, v [batch, keys, heads, width] · logsumexp, δ [batch, heads, length]. Of batch entry b, only the
// first key_lengths[b] keys count (null: all): the others get no gradient, and without any key y is 0 and the logsumexp −∞.
//
// Begin with `attention_naive`: a thread a query, three loops. The others give the same, with tiles:
//
//     forward       a block owns OWN = 64 queries. Tiles of keys go by: scores of 64 × N in registers, the running maximum and sum
//                   brought up to date, probabilities to shared memory, y += p v in registers.
//     to queries    owns 64 queries, keys go by: p again from s and logsumexp, then dq += ds k.
//     to keys       owns 64 keys, queries go by: dv += pᵀ dy, dk += dsᵀ q. Every sum has one owner and one order: no atomics.
//
// A block has 256 threads as 16 × 16: thread (tx, ty) has the owned rows 4·ty … 4·ty + 3, and of what goes by the rows tx + 16·j. So the
// 16 threads that share a row of scores are half a warp, and take maxima and sums by shuffles. The width is filled up with zeros to D = 32,
// 64 or 128; a matrix in shared memory has rows of D + 4 floats, so that 8 neighbouring lanes reading 4 floats each, every lane another
// row, meet 32 different banks. What a block owns is loaded once. The kernels named _wide take any width in chunks of 128 columns: every
// chunk of the result has a block of its own, which goes through all chunks for the scores. So scores are computed once a chunk.
//
// Blocks: batch · heads · tiles · chunks, neighbours share a head. Shared memory: bytes as in Attention.sharedBytes, up to 94 KB. Ideal
// traffic: every operand once; what goes by is read again by each of the length/64 (or keys/64) blocks of a head, mostly from the
// second-level cache. Java: backend/cuda/Attention.java, tensor/Attention.java.
#include "common.cuh"

enum { OWN = 64, THREADS = 256 };

struct Sizes {
    i64 batch, heads, length, keys, width;
};

// How many keys of a batch entry count.
__device__ inline i64 keys_of(const Sizes& s, const i64* key_lengths, i64 b) {
    return key_lengths == nullptr ? s.keys : min(key_lengths[b], s.keys);
}

// One thread a query; y holds its own running sum. To read, and to check the others against.
KERNEL attention_naive(
    real* y, float* logsumexp, const real* q, const real* k, const real* v, const i64* key_lengths, Sizes s, float scale) {
    for (i64 i = thread_number(); i < s.batch * s.heads * s.length; i += thread_count()) {
        i64 query = i % s.length, head = i / s.length % s.heads, b = i / s.length / s.heads;
        i64 stride = s.heads * s.width, own = (b * s.length + query) * stride + head * s.width;
        i64 first = b * s.keys * stride + head * s.width, keys = keys_of(s, key_lengths, b);
        float most = -INFINITY, sum = 0.f;
        for (i64 d = 0; d < s.width; d++) put(y + own + d, 0.f);
        for (i64 key = 0; key < keys; key++) {
            float score = 0.f;
            for (i64 d = 0; d < s.width; d++) score += at(q, own + d) * at(k, first + key * stride + d);
            score *= scale;
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

// ---- pieces -------------------------------------------------------------------------------------------------------------------------

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

// ---- forward ------------------------------------------------------------------------------------------------------------------------

template <int D, int N, bool WIDE>
__device__ inline void forward(
    real* y, float* logsumexp, const real* q, const real* k, const real* v, const i64* key_lengths, const Sizes& s, float scale) {
    DYNAMIC_SHARED(float, shared);
    float* own = shared;
    float* stream = own + OWN * (D + 4);
    float* tile = stream + 16 * N * (D + 4);

    Part part = part_of(s, s.length, D);
    int tx = (int) threadIdx.x % 16, ty = (int) threadIdx.x / 16;
    i64 stride = s.heads * s.width, from = WIDE ? part.chunk * D : 0, rows = s.length - part.first, keys = keys_of(s, key_lengths, part.b);
    i64 queries = (part.b * s.length + part.first) * stride + part.head * s.width;
    i64 first_key = part.b * s.keys * stride + part.head * s.width;
    if (!WIDE) load_tile<OWN, D>(own, q + queries, stride, rows, s.width);

    float sum[4][D / 16] = {}, most[4], total[4];
#pragma unroll
    for (int i = 0; i < 4; i++) most[i] = -INFINITY, total[i] = 0.f;
    for (i64 key = 0; key < keys; key += 16 * N) {
        float p[4][N] = {};
        const real* k_tile = k + first_key + key * stride;
        add_all_scores<D, N, WIDE>(p, own, stream, q + queries, rows, k_tile, keys - key, stride, s.width);
        int end = (int) min(keys - key, (i64) 16 * N);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float before = most[i], now = 0.f;
#pragma unroll
            for (int j = 0; j < N; j++) {
                p[i][j] = tx + 16 * j < end ? p[i][j] * scale : -INFINITY;
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

// ---- backward -----------------------------------------------------------------------------------------------------------------------

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
    const i64* key_lengths, const Sizes& s, float scale) {
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
#pragma unroll
        for (int i = 0; i < 4; i++) {
#pragma unroll
            for (int j = 0; j < N; j++) {
                bool counts = tx + 16 * j < end && 4 * ty + i < owned;
                ds[i][j] = counts ? expf(p[i][j] * scale - log_sum[i]) * (ds[i][j] - less[i]) : 0.f;
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
    const i64* key_lengths, const Sizes& s, float scale) {
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

    float sum_k[4][D / 16] = {}, sum_v[4][D / 16] = {}, scales[4], ones[4];
#pragma unroll
    for (int i = 0; i < 4; i++) scales[i] = scale, ones[i] = 1.f;
    for (i64 query = 0; query < s.length && owned > 0; query += 16 * N) {
        i64 at_query = part.item * s.length + query + tx, tile_at = first_query + query * stride;
        int end = (int) min(s.length - query, (i64) 16 * N);
        float p[4][N] = {};
        add_all_scores<D, N, WIDE>(p, own_k, stream, k + keys, owned, q + tile_at, end, stride, s.width);
#pragma unroll
        for (int j = 0; j < N; j++) {
            bool there = tx + 16 * j < end;
            float log_sum = there ? at(logsumexp, at_query + 16 * j) : 0.f;
#pragma unroll
            for (int i = 0; i < 4; i++) p[i][j] = there && 4 * ty + i < owned ? expf(p[i][j] * scale - log_sum) : 0.f;
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

// ---- one kernel a width: tiles of D columns, 16·N rows go by at a time --------------------------------------------------------------

KERNEL attention_wide(
    real* y, float* logsumexp, const real* q, const real* k, const real* v, const i64* key_lengths, Sizes s, float scale) {
    forward<128, 4, true>(y, logsumexp, q, k, v, key_lengths, s, scale);
}

KERNEL attention_to_queries_wide(
    real* dq, const real* dy, const float* logsumexp, const float* delta, const real* q, const real* k, const real* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_queries<128, 2, true>(dq, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}

KERNEL attention_to_keys_wide(
    real* dk, real* dv, const real* dy, const float* logsumexp, const float* delta, const real* q, const real* k, const real* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_keys<128, 2, true>(dk, dv, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}

// From here on, with so few registers that a multiprocessor holds two blocks.
#undef KERNEL
#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS, 2)

KERNEL attention_32(
    real* y, float* logsumexp, const real* q, const real* k, const real* v, const i64* key_lengths, Sizes s, float scale) {
    forward<32, 4, false>(y, logsumexp, q, k, v, key_lengths, s, scale);
}

KERNEL attention_64(
    real* y, float* logsumexp, const real* q, const real* k, const real* v, const i64* key_lengths, Sizes s, float scale) {
    forward<64, 4, false>(y, logsumexp, q, k, v, key_lengths, s, scale);
}

KERNEL attention_128(
    real* y, float* logsumexp, const real* q, const real* k, const real* v, const i64* key_lengths, Sizes s, float scale) {
    forward<128, 4, false>(y, logsumexp, q, k, v, key_lengths, s, scale);
}

KERNEL attention_to_queries_32(
    real* dq, const real* dy, const float* logsumexp, const float* delta, const real* q, const real* k, const real* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_queries<32, 4, false>(dq, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}

KERNEL attention_to_queries_64(
    real* dq, const real* dy, const float* logsumexp, const float* delta, const real* q, const real* k, const real* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_queries<64, 4, false>(dq, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}

KERNEL attention_to_queries_128(
    real* dq, const real* dy, const float* logsumexp, const float* delta, const real* q, const real* k, const real* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_queries<128, 2, false>(dq, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}

KERNEL attention_to_keys_32(
    real* dk, real* dv, const real* dy, const float* logsumexp, const float* delta, const real* q, const real* k, const real* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_keys<32, 4, false>(dk, dv, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}

KERNEL attention_to_keys_64(
    real* dk, real* dv, const real* dy, const float* logsumexp, const float* delta, const real* q, const real* k, const real* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_keys<64, 4, false>(dk, dv, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}

KERNEL attention_to_keys_128(
    real* dk, real* dv, const real* dy, const float* logsumexp, const float* delta, const real* q, const real* k, const real* v,
    const i64* key_lengths, Sizes s, float scale) {
    to_keys<128, 2, false>(dk, dv, dy, logsumexp, delta, q, k, v, key_lengths, s, scale);
}
