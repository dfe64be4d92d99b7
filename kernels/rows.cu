// Functions of rows: softmax, its logarithm, layer and root-mean-square normalisation, and their gradients.
//
//     softmax       y = exp(x − max) / Σ exp(x − max)                 dx = y · (dy − Σ dy·y)
//     logSoftmax    y = x − max − log Σ exp(x − max)                  dx = dy − exp(y) · Σ dy
//     layerNorm     y = x̂·w + b,   x̂ = (x − mean) · rstd              dx = r · (g − mean(g) − x̂ · mean(g·x̂)),   g = dy·w
//     rmsNorm       y = x̂·w,       x̂ = x · r                          the same without mean(g)
//     both norms    dw = Σ over the rows of dy·x̂                      db = Σ over the rows of dy
//
// Everything is [rows, C]. Neighbouring threads stand on neighbouring elements of a row. Short rows have a warp each, several a block:
// blocks of 32 × 8 threads; long ones have a block each, of 256 × 1 or 1024 × 1. A row is read two or three times, but from memory only
// once as long as it fits a cache: ideal traffic is every operand once. The sums over rows (dw, db) are taken in stretches of rows, a
// thread a column, and then added in order. Java: backend/cuda/Rows.java, tensor/Softmax.java, tensor/LogSoftmax.java,
// tensor/LayerNorm.java, tensor/RmsNorm.java.
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

// y = (x − mean)·rstd·w + b; w and b may be null. The variance is taken about the mean, in a pass of its own: the difference of the mean
// square and the squared mean would cancel.
KERNEL layer_norm(real* y, float* mean, float* rstd, const real* x, const real* w, const real* b, float eps, i64 rows, i64 c) {
    i64 row = row_number();
    if (row >= rows) return;
    y += row * c;
    x += row * c;
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
        if (w != nullptr) v *= at(w, i);
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
    real* dx, const real* dy, const real* x, const float* mean, const float* scale, const real* w, i64 rows, i64 c) {
    i64 row = row_number();
    if (row >= rows) return;
    dx += row * c;
    dy += row * c;
    x += row * c;
    float m = mean != nullptr ? at(mean, row) : 0.f;
    float r = at(scale, row);
    float sum_g = 0.f, sum_gx = 0.f;
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) {
        float g = w != nullptr ? at(dy, i) * at(w, i) : at(dy, i);
        sum_g += g;
        sum_gx += g * (at(x, i) - m);
    }
    float mean_g = mean != nullptr ? row_sum(sum_g) / (float) c : 0.f;
    float slope = row_sum(sum_gx) / (float) c * r * r;
    for (i64 i = threadIdx.x; i < c; i += blockDim.x) {
        float g = w != nullptr ? at(dy, i) * at(w, i) : at(dy, i);
        put(dx + i, r * (g - mean_g - slope * (at(x, i) - m)));
    }
}

// Σ dy·x̂ and Σ dy over stretches of rows: dw and db are [parts, C], either may be null. A thread a column and stretch, grid-stride.
KERNEL norm_to_weight(
    float* dw, float* db, const real* dy, const real* x, const float* mean, const float* scale, i64 rows, i64 c, i64 stretch, i64 all) {
    for (i64 e = thread_number(); e < all; e += thread_count()) {
        i64 column = e % c, from = e / c * stretch, to = min(from + stretch, rows);
        float sum_w = 0.f, sum_b = 0.f;
        for (i64 row = from; row < to; row++) {
            float g = at(dy, row * c + column);
            sum_b += g;
            if (dw == nullptr) continue;
            float m = mean != nullptr ? at(mean, row) : 0.f;
            sum_w += g * ((at(x, row * c + column) - m) * at(scale, row));
        }
        if (dw != nullptr) dw[e] = sum_w;
        if (db != nullptr) db[e] = sum_b;
    }
}

// y [C] = the sum of x [parts, C], in order
KERNEL norm_add_parts(real* y, const float* x, i64 parts, i64 c) {
    for (i64 i = thread_number(); i < c; i += thread_count()) {
        float sum = 0.f;
        for (i64 part = 0; part < parts; part++) sum += x[part * c + i];
        put(y + i, sum);
    }
}
