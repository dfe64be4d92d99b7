// Root-mean-square normalisation of rows with the rotary embedding behind it, and its gradients.
//
//     y = x·r·w, then adjacent pairs of it turned      r = 1/√(mean(x²) + ε)      dy is turned back, then as in rows.cu
//
// x is [batch, length, heads, width], rows of c = heads·width, shared out as rows.cuh has it; cosine and sine are [length, pairs],
// pairs = width/2, the same for all heads. A pack lies within a head, and has whole pairs, one at least. What the norm hands to the embedding
// stays in registers. Java: backend/cuda/Rows.java, tensor/RmsNormRope.java.
#include "rows.cuh"

// Two neighbours of a row: to be turned, or turned.
struct Pair {
    float first, second;
};

// first·cos − second·sin, first·sin + second·cos; by −sin it is turned back.
__device__ inline Pair turned(Pair v, float cosine, float sine) {
    return {v.first * cosine - v.second * sine, v.first * sine + v.second * cosine};
}

// A thread goes along a row from pack to pack, a block's width at a time. All heads have the angles of the first, `pairs` of them: so the
// angle goes round by what is left of that width, and nothing is divided on the way.
struct Turning {
    i64 angle, step, pairs;

    __device__ __forceinline__ Turning(int n, i64 pairs)
        : angle(threadIdx.x * (n / 2) % pairs), step(blockDim.x * (n / 2) % pairs), pairs(pairs) {}

    // The first angle of this thread's pack; then stands on that of the next.
    __device__ __forceinline__ i64 next() {
        i64 now = angle;
        angle += step;
        if (angle >= pairs) angle -= pairs;
        return now;
    }
};

// Pair `pair` of a pack
template <int N>
__device__ __forceinline__ Pair pair_of(const Pack<real, N>& v, int pair) {
    return {v[2 * pair], v[2 * pair + 1]};
}

// y[…] = pair(j) for N/2 pairs
template <int N, class Pairs>
__device__ __forceinline__ void store_pairs(real* y, Pairs pair) {
    float v[N];
#pragma unroll
    for (int j = 0; j < N / 2; j++) {
        Pair p = pair(j);
        v[2 * j] = p.first;
        v[2 * j + 1] = p.second;
    }
    write(y, v);
}

// y = x·r·w, then its pairs turned by the angles of the row's token. Traffic: x and y once.
KERNEL rms_norm_rope(
    real* y, float* scale, const real* x, const real* w, const real* cosine, const real* sine, i64 length, i64 pairs, float eps, i64 rows,
    i64 c, int pack) {
    i64 row = row_number();
    if (row >= rows) return;
    y += row * c;
    x += row * c;
    cosine += row % length * pairs;
    sine += row % length * pairs;
    with_packs<2>(pack, [&](auto size) {
        constexpr int N = size;
        Walk walk = along<N>(c);
        Row<N> xs(x, walk);
        float r = row_scale(xs, walk, 0.f, eps, c);
        if (threadIdx.x == 0) put(scale + row, r);
        Turning turning(N, pairs);
        each(walk, [&](i64 i, const Pack<real, N>& v) {
            auto weights = load<N>(w + i);
            i64 angle = turning.next();
            auto cosines = load<N / 2>(cosine + angle), sines = load<N / 2>(sine + angle);
            store_pairs<N>(y + i, [&](int j) {
                Pair u = pair_of(v, j), scales = pair_of(weights, j);
                return turned({u.first * r * scales.first, u.second * r * scales.second}, cosines[j], sines[j]);
            });
        }, xs);
    });
}

// dx = r · (g − x · r² · mean(g·x)), with g = w · dy turned back. Traffic: dy, x and dx once.
KERNEL rms_norm_rope_to_input(
    real* dx, const real* dy, const real* x, const float* scale, const real* w, const real* cosine, const real* sine, i64 length, i64 pairs,
    i64 rows, i64 c, int pack) {
    i64 row = row_number();
    if (row >= rows) return;
    dx += row * c;
    dy += row * c;
    x += row * c;
    cosine += row % length * pairs;
    sine += row % length * pairs;
    float r = at(scale, row);
    with_packs<2>(pack, [&](auto size) {
        constexpr int N = size;
        Walk walk = along<N>(c);
        Row<N> gs(dy, walk), xs(x, walk);
        // g of a pack
        auto before = [&](float (&g)[N], const Pack<real, N>& dys, i64 i, i64 angle) {
            auto weights = load<N>(w + i);
            auto cosines = load<N / 2>(cosine + angle), sines = load<N / 2>(sine + angle);
#pragma unroll
            for (int j = 0; j < N / 2; j++) {
                Pair back = turned(pair_of(dys, j), cosines[j], -sines[j]), scales = pair_of(weights, j);
                g[2 * j] = back.first * scales.first;
                g[2 * j + 1] = back.second * scales.second;
            }
        };
        float sum = 0.f;
        Turning turning(N, pairs);
        each(walk, [&](i64 i, const Pack<real, N>& dys, const Pack<real, N>& v) {
            float g[N];
            before(g, dys, i, turning.next());
            for (int k = 0; k < N; k++) sum += g[k] * v[k];
        }, gs, xs);
        float slope = row_sum(sum) / (float) c * r * r;
        Turning again(N, pairs);
        each(walk, [&](i64 i, const Pack<real, N>& dys, const Pack<real, N>& v) {
            float g[N];
            before(g, dys, i, again.next());
            store<N>(dx + i, [&](int k) { return r * (g[k] - slope * v[k]); });
        }, gs, xs);
    });
}

// Σ x̂ · dy turned back, over stretches of the rows: dw is [parts, C], `all` pairs. A thread a pair of columns and stretch, grid-stride.
KERNEL rms_norm_rope_to_weight(
    float* dw, const real* dy, const real* x, const float* scale, const real* cosine, const real* sine, i64 length, i64 pairs, i64 rows,
    i64 c, i64 stretch, i64 all) {
    for (i64 e = thread_number(); e < all; e += thread_count()) {
        i64 pair = e % (c / 2), angle = pair % pairs;
        i64 from = e / (c / 2) * stretch, to = min(from + stretch, rows), token = from % length;
        Pair sum = {0.f, 0.f};
        for (i64 row = from; row < to; row++) {
            i64 i = row * c + 2 * pair;
            Pair g = turned({at(dy, i), at(dy, i + 1)}, at(cosine, token * pairs + angle), -at(sine, token * pairs + angle));
            Pair v = {at(x, i), at(x, i + 1)};
            float r = at(scale, row);
            sum = {sum.first + g.first * (v.first * r), sum.second + g.second * (v.second * r)};
            token = token + 1 < length ? token + 1 : 0;
        }
        dw[2 * e] = sum.first;
        dw[2 * e + 1] = sum.second;
    }
}
