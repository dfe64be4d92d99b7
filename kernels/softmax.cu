// Softmax and its logarithm over rows, and their gradients.
//
//     softmax       y = exp(x − max) / Σ exp(x − max)                 dx = y · (dy − Σ dy·y)
//     logSoftmax    y = x − max − log Σ exp(x − max)                  dx = dy − exp(y) · Σ dy
//
// Everything is [rows, C], shared out as rows.cuh has it. Ideal traffic, and that for rows that fit registers: every operand once.
// Java: backend/cuda/Rows.java, tensor/Softmax.java, tensor/LogSoftmax.java.
#include "rows.cuh"

// Of one row: its maximum, and Σ exp(x − maximum).
template <int N>
__device__ inline void softmax_statistics(const Row<N>& x, const Walk& walk, float* most, float* sum) {
    float m = -INFINITY;
    each(walk, [&](i64, const Pack<real, N>& v) {
        for (int k = 0; k < N; k++) m = fmaxf(m, v[k]);
    }, x);
    m = row_max(m);
    float s = 0.f;
    each(walk, [&](i64, const Pack<real, N>& v) {
        for (int k = 0; k < N; k++) s += expf(v[k] - m);
    }, x);
    *most = m;
    *sum = row_sum(s);
}

// y = result(x, max, last(Σ exp(x − max)))
template <class Last, class Result>
__device__ __forceinline__ void forward(real* y, const real* x, i64 rows, i64 c, int pack, Last last, Result result) {
    i64 row = row_number();
    if (row >= rows) return;
    y += row * c;
    x += row * c;
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        Walk walk = along<N>(c);
        Row<N> xs(x, walk);
        float most, sum;
        softmax_statistics(xs, walk, &most, &sum);
        float of_sum = last(sum);
        each(walk, [&](i64 i, const Pack<real, N>& v) {
            store<N>(y + i, [&](int k) { return result(v[k], most, of_sum); });
        }, xs);
    });
}

// dx = result(dy, y, Σ term(dy, y))
template <class Term, class Result>
__device__ __forceinline__ void backward(
    real* dx, const real* dy, const real* y, i64 rows, i64 c, int pack, Term term, Result result) {
    i64 row = row_number();
    if (row >= rows) return;
    dx += row * c;
    dy += row * c;
    y += row * c;
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        Walk walk = along<N>(c);
        Row<N> gs(dy, walk), ys(y, walk);
        float sum = 0.f;
        each(walk, [&](i64, const Pack<real, N>& g, const Pack<real, N>& v) {
            for (int k = 0; k < N; k++) sum += term(g[k], v[k]);
        }, gs, ys);
        sum = row_sum(sum);
        each(walk, [&](i64 i, const Pack<real, N>& g, const Pack<real, N>& v) {
            store<N>(dx + i, [&](int k) { return result(g[k], v[k], sum); });
        }, gs, ys);
    });
}

KERNEL softmax(real* y, const real* x, i64 rows, i64 c, int pack) {
    forward(y, x, rows, c, pack, [](float sum) { return 1.f / sum; },
        [](float v, float most, float factor) { return expf(v - most) * factor; });
}

KERNEL softmax_backward(real* dx, const real* dy, const real* y, i64 rows, i64 c, int pack) {
    backward(dx, dy, y, rows, c, pack, [](float g, float v) { return g * v; }, [](float g, float v, float dot) { return v * (g - dot); });
}

KERNEL log_softmax(real* y, const real* x, i64 rows, i64 c, int pack) {
    forward(y, x, rows, c, pack, [](float sum) { return logf(sum); },
        [](float v, float most, float log_sum) { return v - most - log_sum; });
}

KERNEL log_softmax_backward(real* dx, const real* dy, const real* y, i64 rows, i64 c, int pack) {
    backward(dx, dy, y, rows, c, pack, [](float g, float) { return g; }, [](float g, float v, float sum) { return g - expf(v) * sum; });
}
