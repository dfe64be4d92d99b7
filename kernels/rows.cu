// Functions of rows: layer and root-mean-square normalisation, gated sums, and their gradients.
//
//     layerNorm     y = x̂·w + b,   x̂ = (x − mean) · rstd              dx = r · (g − mean(g) − x̂ · mean(g·x̂)),   g = dy·w
//     rmsNorm       y = x̂·w,       x̂ = x · r                          the same without mean(g)
//     both norms    dw = Σ over the rows of dy·x̂                      db = Σ over the rows of dy
//     gated sum     y = x + gate·h                                    dh = dy·gate,   dgate = Σ over the rows of dy·h
//
// The weights serve groups of `length` rows: w, b and gate are [rows / length, C], and w stands for `plus` + w. A layer norm proper is one group
// with plus = 0; one that the time modulates has a group for each sample, and the factor 1 + scale.
//
// Everything is [rows, C], shared out as rows.cuh has it. Ideal traffic, and that for rows that fit registers: every operand once. The sums
// over rows (dw, db) are taken in stretches of rows, a thread a column, and then added in order. Java: backend/cuda/Rows.java,
// tensor/LayerNorm.java, tensor/ModulatedNorm.java, tensor/RmsNorm.java, tensor/ResidualLinear.java.
#include "rows.cuh"

// Of weights [rows / length, C], those of a row; null if there are none
__device__ inline const real* weights_of(const real* w, i64 row, i64 length, i64 c) {
    return w != nullptr ? w + row / length * c : nullptr;
}

// N weights from element i on, or a pack of anything if there are none
template <int N>
__device__ inline Pack<real, N> load_if_any(const real* w, i64 i) {
    Pack<real, N> pack{};
    if (w != nullptr) pack.read(w + i);
    return pack;
}

// y = (x − mean)·rstd·(plus + w) + b; w and b may be null. The variance is taken about the mean, in a pass of its own: the difference of the mean
// square and the squared mean would cancel.
KERNEL layer_norm(
    real* y, float* mean, float* rstd, const real* x, const real* w, const real* b, float plus, i64 length, float eps, i64 rows, i64 c,
    int pack) {
    i64 row = row_number();
    if (row >= rows) return;
    y += row * c;
    x += row * c;
    w = weights_of(w, row, length, c);
    b = weights_of(b, row, length, c);
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        Walk walk = along<N>(c);
        Row<N> xs(x, walk);
        float m = 0.f;
        each(walk, [&](i64, const Pack<real, N>& v) {
            for (int k = 0; k < N; k++) m += v[k];
        }, xs);
        m = row_sum(m) / (float) c;
        float r = row_scale(xs, walk, m, eps, c);
        if (threadIdx.x == 0) {
            put(mean + row, m);
            put(rstd + row, r);
        }
        each(walk, [&](i64 i, const Pack<real, N>& v) {
            auto weights = load_if_any<N>(w, i), offsets = load_if_any<N>(b, i);
            store<N>(y + i, [&](int k) {
                float u = (v[k] - m) * r;
                if (w != nullptr) u *= plus + weights[k];
                return b != nullptr ? u + offsets[k] : u;
            });
        }, xs);
    });
}

// y = x·r·w; w may be null
KERNEL rms_norm(real* y, float* scale, const real* x, const real* w, float eps, i64 rows, i64 c, int pack) {
    i64 row = row_number();
    if (row >= rows) return;
    y += row * c;
    x += row * c;
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        Walk walk = along<N>(c);
        Row<N> xs(x, walk);
        float r = row_scale(xs, walk, 0.f, eps, c);
        if (threadIdx.x == 0) put(scale + row, r);
        each(walk, [&](i64 i, const Pack<real, N>& v) {
            auto weights = load_if_any<N>(w, i);
            store<N>(y + i, [&](int k) { return w != nullptr ? v[k] * r * weights[k] : v[k] * r; });
        }, xs);
    });
}

// dx of both norms: the root-mean-square one has no mean (null); w may be null.
KERNEL norm_to_input(
    real* dx, const real* dy, const real* x, const float* mean, const float* scale, const real* w, float plus, i64 length, i64 rows, i64 c,
    int pack) {
    i64 row = row_number();
    if (row >= rows) return;
    dx += row * c;
    dy += row * c;
    x += row * c;
    w = weights_of(w, row, length, c);
    float m = mean != nullptr ? at(mean, row) : 0.f;
    float r = at(scale, row);
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        Walk walk = along<N>(c);
        Row<N> gs(dy, walk), xs(x, walk);
        float sum_g = 0.f, sum_gx = 0.f;
        each(walk, [&](i64 i, const Pack<real, N>& dys, const Pack<real, N>& v) {
            auto weights = load_if_any<N>(w, i);
            for (int k = 0; k < N; k++) {
                float g = w != nullptr ? dys[k] * (plus + weights[k]) : dys[k];
                sum_g += g;
                sum_gx += g * (v[k] - m);
            }
        }, gs, xs);
        float mean_g = mean != nullptr ? row_sum(sum_g) / (float) c : 0.f;
        float slope = row_sum(sum_gx) / (float) c * r * r;
        each(walk, [&](i64 i, const Pack<real, N>& dys, const Pack<real, N>& v) {
            auto weights = load_if_any<N>(w, i);
            store<N>(dx + i, [&](int k) {
                float g = w != nullptr ? dys[k] * (plus + weights[k]) : dys[k];
                return r * (g - mean_g - slope * (v[k] - m));
            });
        }, gs, xs);
    });
}

// Σ dy·x̂ and Σ dy, without a mean and a scale Σ dy·x, over stretches of the `length` rows of a group: dw and db are [groups, parts, C], `all`
// elements, either may be null. A thread a column and stretch, grid-stride.
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

// y = x + gate·(h + bias), of which x, gate and bias may be missing; without x and bias it is the gradient to h of that to y. y may be h.
KERNEL gated_add(
    real* y, const real* x, const real* gate, const real* h, const real* bias, i64 length, i64 rows, i64 c, int pack) {
    i64 row = row_number();
    if (row >= rows) return;
    y += row * c;
    h += row * c;
    if (x != nullptr) x += row * c;
    gate = weights_of(gate, row, length, c);
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        Walk walk = along<N>(c);
        each(walk, [&](i64 i, const Pack<real, N>& v) {
            auto factors = load_if_any<N>(gate, i), offsets = load_if_any<N>(bias, i), sums = load_if_any<N>(x, i);
            store<N>(y + i, [&](int k) {
                float u = bias != nullptr ? v[k] + offsets[k] : v[k];
                return fmaf(gate != nullptr ? factors[k] : 1.f, u, x != nullptr ? sums[k] : 0.f);
            });
        }, Row<N>(h, walk));
    });
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
