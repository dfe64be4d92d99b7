// Functions of rows: softmax, its logarithm, layer and root-mean-square normalisation, the latter with rotary embedding, gated sums, and
// their gradients.
//
//     softmax       y = exp(x − max) / Σ exp(x − max)                 dx = y · (dy − Σ dy·y)
//     logSoftmax    y = x − max − log Σ exp(x − max)                  dx = dy − exp(y) · Σ dy
//     layerNorm     y = x̂·w + b,   x̂ = (x − mean) · rstd              dx = r · (g − mean(g) − x̂ · mean(g·x̂)),   g = dy·w
//     rmsNorm       y = x̂·w,       x̂ = x · r                          the same without mean(g)
//     both norms    dw = Σ over the rows of dy·x̂                      db = Σ over the rows of dy
//     rmsNormRope   rmsNorm, then adjacent pairs of y turned          dy is turned back, then as rmsNorm
//     gated sum     y = x + gate·h                                    dh = dy·gate,   dgate = Σ over the rows of dy·h
//
// The weights serve groups of `length` rows: w, b and gate are [rows / length, C], and w stands for `plus` + w. A layer norm proper is one group
// with plus = 0; one that the time modulates has a group for each sample, and the factor 1 + scale.
//
// Everything is [rows, C]. Neighbouring threads stand on neighbouring elements of a row. Short rows have a warp each, several a block:
// blocks of 32 × 8 threads; long ones have a block each, of 256 × 1 or 1024 × 1. A row is read two or three times, but from memory only
// once as long as it fits a cache: ideal traffic is every operand once. The sums over rows (dw, db) are taken in stretches of rows, a
// thread a column, and then added in order. What a norm hands to the rotary embedding stays in registers. Java: backend/cuda/Rows.java,
// tensor/Softmax.java, tensor/LogSoftmax.java, tensor/LayerNorm.java, tensor/ModulatedNorm.java, tensor/RmsNorm.java,
// tensor/RmsNormRope.java, tensor/ResidualLinear.java.
#include "common.cuh"

// The row of this thread, given the geometry above. A warp has one row only, so that it leaves as a whole where there is none.
__device__ inline i64 row_number() {
    return (i64) blockIdx.x * blockDim.y + threadIdx.y;
}

// Over the threads of one row
__device__ inline float row_sum(float v) {
    return blockDim.x == 32 ? warp_sum(v) : block_sum(v);
}

__device__ inline float row_max(float v) {
    return blockDim.x == 32 ? warp_max(v) : block_max(v);
}

// Of one row: its maximum, and Σ exp(x − maximum).
__device__ inline void softmax_statistics(const real* x, i64 c, float* most, float* sum) {
    float m = -INFINITY;
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) m = fmaxf(m, at(x, i));
    m = row_max(m);
    float s = 0.f;
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) s += expf(at(x, i) - m);
    *most = m;
    *sum = row_sum(s);
}

// y = exp(x − max) / Σ exp(x − max)
KERNEL softmax(real* y, const real* x, i64 rows, i64 c) {
    i64 row = row_number();
    if (row >= rows) return;
    y += row * c;
    x += row * c;
    float most, sum;
    softmax_statistics(x, c, &most, &sum);
    float factor = 1.f / sum;
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) put(y + i, expf(at(x, i) - most) * factor);
}

// dx = y · (dy − Σ dy·y)
KERNEL softmax_backward(real* dx, const real* dy, const real* y, i64 rows, i64 c) {
    i64 row = row_number();
    if (row >= rows) return;
    dx += row * c;
    dy += row * c;
    y += row * c;
    float dot = 0.f;
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) dot += at(dy, i) * at(y, i);
    dot = row_sum(dot);
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) put(dx + i, at(y, i) * (at(dy, i) - dot));
}

// y = x − max − log Σ exp(x − max)
KERNEL log_softmax(real* y, const real* x, i64 rows, i64 c) {
    i64 row = row_number();
    if (row >= rows) return;
    y += row * c;
    x += row * c;
    float most, sum;
    softmax_statistics(x, c, &most, &sum);
    float log_sum = logf(sum);
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) put(y + i, at(x, i) - most - log_sum);
}

// dx = dy − exp(y) · Σ dy
KERNEL log_softmax_backward(real* dx, const real* dy, const real* y, i64 rows, i64 c) {
    i64 row = row_number();
    if (row >= rows) return;
    dx += row * c;
    dy += row * c;
    y += row * c;
    float sum = 0.f;
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) sum += at(dy, i);
    sum = row_sum(sum);
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) put(dx + i, at(dy, i) - expf(at(y, i)) * sum);
}

// 1/√(Σ (x − mean)² / C + ε) of one row
__device__ inline float row_scale(const real* x, float mean, float eps, i64 c) {
    float squares = 0.f;
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) {
        float v = at(x, i) - mean;
        squares += v * v;
    }
    return 1.f / sqrtf(row_sum(squares) / (float) c + eps);
}

// Of weights [rows / length, C], those of a row; null if there are none
__device__ inline const real* weights_of(const real* w, i64 row, i64 length, i64 c) {
    return w != nullptr ? w + row / length * c : nullptr;
}

// y = (x − mean)·rstd·(plus + w) + b; w and b may be null. The variance is taken about the mean, in a pass of its own: the difference of the mean
// square and the squared mean would cancel.
KERNEL layer_norm(
    real* y, float* mean, float* rstd, const real* x, const real* w, const real* b, float plus, i64 length, float eps, i64 rows, i64 c) {
    i64 row = row_number();
    if (row >= rows) return;
    y += row * c;
    x += row * c;
    w = weights_of(w, row, length, c);
    b = weights_of(b, row, length, c);
    float m = 0.f;
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) m += at(x, i);
    m = row_sum(m) / (float) c;
    float r = row_scale(x, m, eps, c);
    if (threadIdx.x == 0) {
        put(mean + row, m);
        put(rstd + row, r);
    }
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) {
        float v = (at(x, i) - m) * r;
        if (w != nullptr) v *= plus + at(w, i);
        put(y + i, b != nullptr ? v + at(b, i) : v);
    }
}

// y = x·r·w; w may be null
KERNEL rms_norm(real* y, float* scale, const real* x, const real* w, float eps, i64 rows, i64 c) {
    i64 row = row_number();
    if (row >= rows) return;
    y += row * c;
    x += row * c;
    float r = row_scale(x, 0.f, eps, c);
    if (threadIdx.x == 0) put(scale + row, r);
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) {
        float v = at(x, i) * r;
        put(y + i, w != nullptr ? v * at(w, i) : v);
    }
}

// dx of both norms: the root-mean-square one has no mean (null); w may be null.
KERNEL norm_to_input(
    real* dx, const real* dy, const real* x, const float* mean, const float* scale, const real* w, float plus, i64 length, i64 rows,
    i64 c) {
    i64 row = row_number();
    if (row >= rows) return;
    dx += row * c;
    dy += row * c;
    x += row * c;
    w = weights_of(w, row, length, c);
    float m = mean != nullptr ? at(mean, row) : 0.f;
    float r = at(scale, row);
    float sum_g = 0.f, sum_gx = 0.f;
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) {
        float g = w != nullptr ? at(dy, i) * (plus + at(w, i)) : at(dy, i);
        sum_g += g;
        sum_gx += g * (at(x, i) - m);
    }
    float mean_g = mean != nullptr ? row_sum(sum_g) / (float) c : 0.f;
    float slope = row_sum(sum_gx) / (float) c * r * r;
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) {
        float g = w != nullptr ? at(dy, i) * (plus + at(w, i)) : at(dy, i);
        put(dx + i, r * (g - mean_g - slope * (at(x, i) - m)));
    }
}

// Σ dy·x̂ and Σ dy, without a mean and a scale Σ dy·x, over stretches of the `length` rows of a group: dw and db are [groups, parts, C], `all` elements, either may be null. A
// thread a column and stretch, grid-stride.
KERNEL norm_to_weight(
    float* dw, float* db, const real* dy, const real* x, const float* mean, const float* scale, i64 length, i64 c, i64 stretch, i64 parts,
    i64 all) {
    for (i64 e = thread_number(); e < all; e += thread_count()) {
        i64 column = e % c, part = e / c % parts, first = e / c / parts * length;
        i64 from = first + part * stretch, to = min(from + stretch, first + length);
        float sum_w = 0.f, sum_b = 0.f;
        for (i64 row = from; row < to; row++) {
            float g = at(dy, row * c + column);
            sum_b += g;
            if (dw == nullptr) continue;
            float m = mean != nullptr ? at(mean, row) : 0.f;
            float r = scale != nullptr ? at(scale, row) : 1.f;
            sum_w += g * ((at(x, row * c + column) - m) * r);
        }
        if (dw != nullptr) dw[e] = sum_w;
        if (db != nullptr) db[e] = sum_b;
    }
}

// Two neighbours of a row: to be turned, or turned.
struct Pair {
    float first, second;
};

// first·cos − second·sin, first·sin + second·cos; by −sin it is turned back.
__device__ inline Pair turned(Pair v, float cosine, float sine) {
    return {v.first * cosine - v.second * sine, v.first * sine + v.second * cosine};
}

__device__ inline Pair pair_at(const real* x, i64 i) {
    return {at(x, 2 * i), at(x, 2 * i + 1)};
}

__device__ inline void put_pair(real* y, i64 i, Pair v) {
    put(y + 2 * i, v.first);
    put(y + 2 * i + 1, v.second);
}

// A thread goes along a row from pair to pair, a block's width at a time. All heads have the angles of the first, `pairs` of them: so the
// angle goes round by what is left of that width, and nothing is divided on the way.
__device__ inline i64 next_angle(i64 angle, i64 step, i64 pairs) {
    angle += step;
    return angle < pairs ? angle : angle - pairs;
}

// y = x·r·w, then its pairs turned by the angles of the row's token: x is [batch, length, heads, width], rows of c = heads·width; cosine and
// sine are [length, pairs], pairs = width/2. A thread stands on a pair. Traffic: x and y once.
KERNEL rms_norm_rope(
    real* y, float* scale, const real* x, const real* w, const real* cosine, const real* sine, i64 length, i64 pairs, float eps, i64 rows,
    i64 c) {
    i64 row = row_number();
    if (row >= rows) return;
    y += row * c;
    x += row * c;
    cosine += row % length * pairs;
    sine += row % length * pairs;
    float r = row_scale(x, 0.f, eps, c);
    if (threadIdx.x == 0) put(scale + row, r);
    i64 step = blockDim.x % pairs, angle = threadIdx.x % pairs;
    for (i64 i = threadIdx.x; i < c / 2; i += blockDim.x, angle = next_angle(angle, step, pairs)) {
        Pair v = pair_at(x, i), weights = pair_at(w, i);
        v = {v.first * r * weights.first, v.second * r * weights.second};
        put_pair(y, i, turned(v, at(cosine, angle), at(sine, angle)));
    }
}

// dx = r · (g − x · r² · mean(g·x)), with g = w · dy turned back. Traffic: dy, x and dx once, as long as a row fits a cache.
KERNEL rms_norm_rope_to_input(
    real* dx, const real* dy, const real* x, const float* scale, const real* w, const real* cosine, const real* sine, i64 length, i64 pairs,
    i64 rows, i64 c) {
    i64 row = row_number();
    if (row >= rows) return;
    dx += row * c;
    dy += row * c;
    x += row * c;
    cosine += row % length * pairs;
    sine += row % length * pairs;
    float r = at(scale, row), sum = 0.f;
    i64 step = blockDim.x % pairs, angle = threadIdx.x % pairs;
    for (i64 i = threadIdx.x; i < c / 2; i += blockDim.x, angle = next_angle(angle, step, pairs)) {
        Pair g = turned(pair_at(dy, i), at(cosine, angle), -at(sine, angle)), v = pair_at(x, i), weights = pair_at(w, i);
        sum += g.first * weights.first * v.first + g.second * weights.second * v.second;
    }
    float slope = row_sum(sum) / (float) c * r * r;
    angle = threadIdx.x % pairs;
    for (i64 i = threadIdx.x; i < c / 2; i += blockDim.x, angle = next_angle(angle, step, pairs)) {
        Pair g = turned(pair_at(dy, i), at(cosine, angle), -at(sine, angle)), v = pair_at(x, i), weights = pair_at(w, i);
        put_pair(dx, i, {r * (g.first * weights.first - slope * v.first), r * (g.second * weights.second - slope * v.second)});
    }
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
            Pair g = turned(pair_at(dy + row * c, pair), at(cosine, token * pairs + angle), -at(sine, token * pairs + angle));
            Pair v = pair_at(x + row * c, pair);
            float r = at(scale, row);
            sum = {sum.first + g.first * (v.first * r), sum.second + g.second * (v.second * r)};
            token = token + 1 < length ? token + 1 : 0;
        }
        dw[2 * e] = sum.first;
        dw[2 * e + 1] = sum.second;
    }
}

// y = x + gate·(h + bias), of which x, gate and bias may be missing; without x and bias it is the gradient to h of that to y. y may be h.
KERNEL gated_add(real* y, const real* x, const real* gate, const real* h, const real* bias, i64 length, i64 rows, i64 c) {
    i64 row = row_number();
    if (row >= rows) return;
    y += row * c;
    h += row * c;
    gate = weights_of(gate, row, length, c);
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) {
        float v = bias != nullptr ? at(h, i) + at(bias, i) : at(h, i);
        put(y + i, fmaf(gate != nullptr ? at(gate, i) : 1.f, v, x != nullptr ? at(x, row * c + i) : 0.f));
    }
}

// y [groups, C], `all` elements = the sum of x [groups, parts, C] over the parts, in order
KERNEL norm_add_parts(real* y, const float* x, i64 parts, i64 c, i64 all) {
    for (i64 i = thread_number(); i < all; i += thread_count()) {
        const float* first = x + i / c * parts * c + i % c;
        float sum = 0.f;
        for (i64 part = 0; part < parts; part++) sum += first[part * c];
        put(y + i, sum);
    }
}
