// The Wan VAE's normalisation over channels, where channels are slower than pixels: x [outer, C, inner], r [outer, inner], γ [C]; and with
// `activate` the SiLU that follows it everywhere but before attention.
//
//     y = x · r · γ                       r = √C / max(‖x‖₂ over C, 1e-12)
//     dx = r · (γ·dy − x · s/‖x‖²)        s = Σ over C of γ·dy·x; without the second term where ‖x‖₂ < 1e-12, for r is constant there
//     dγ = Σ over the pixels of dy·x·r
//
//     y = silu(x · r · γ)                 the same with dy · silu′(x·r·γ) for dy, computed again wherever it is needed
//
// One thread a pixel, grid-stride, which goes through the channels twice; neighbouring threads stand on neighbouring pixels. dγ: a block a
// channel and stretch of pixels, then a block a channel adds the stretches. x is read twice, and its lines of one block are too many for a
// cache: traffic is three times that of x forward, five times backward, with SiLU or without. Java: backend/cuda/Rows.java, tensor/ChannelNorm.java.
#include "activation.cuh"

static const float SMALLEST = 1e-12f;

// y = x·r·γ, or silu of it; n pixels
KERNEL channel_norm(real* y, float* r, const real* x, const real* gamma, int activate, i64 c, i64 inner, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) {
        i64 first = i / inner * c * inner + i % inner;
        float squares = 0.f;
        for (i64 k = 0; k < c; k++) {
            float v = at(x, first + k * inner);
            squares += v * v;
        }
        float scale = sqrtf((float) c) / fmaxf(sqrtf(squares), SMALLEST);
        put(r + i, scale);
        for (i64 k = 0; k < c; k++) {
            float v = at(x, first + k * inner) * scale * at(gamma, k);
            put(y + first + k * inner, activate ? silu(v) : v);
        }
    }
}

// The gradient to v = x·r·γ from that to y.
__device__ inline float before(float dy, float v, int activate) {
    return activate ? dy * silu_slope(v) : dy;
}

// dx = r · (γ·dy − x · s/‖x‖²); n pixels
KERNEL channel_norm_to_input(
    real* dx, const real* dy, const real* x, const float* r, const real* gamma, int activate, i64 c, i64 inner, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) {
        i64 first = i / inner * c * inner + i % inner;
        float scale = at(r, i), squares = 0.f, dot = 0.f;
        for (i64 k = 0; k < c; k++) {
            float v = at(x, first + k * inner), weight = at(gamma, k);
            squares += v * v;
            dot += weight * before(at(dy, first + k * inner), v * scale * weight, activate) * v;
        }
        float slope = sqrtf(squares) < SMALLEST ? 0.f : dot / squares;
        for (i64 k = 0; k < c; k++) {
            i64 e = first + k * inner;
            float v = at(x, e), weight = at(gamma, k);
            put(dx + e, scale * (weight * before(at(dy, e), v * scale * weight, activate) - v * slope));
        }
    }
}

// parts [C, outer, stretches] = Σ dy·x·r over a stretch of pixels: block b of C · outer · stretches
KERNEL channel_norm_to_gamma(
    float* parts, const real* dy, const real* x, const float* r, const real* gamma, int activate, i64 outer, i64 c, i64 inner, i64 stretch,
    i64 stretches) {
    i64 part = blockIdx.x % stretches, o = blockIdx.x / stretches % outer, channel = blockIdx.x / stretches / outer;
    i64 to = min((part + 1) * stretch, inner);
    dy += (o * c + channel) * inner;
    x += (o * c + channel) * inner;
    r += o * inner;
    float weight = at(gamma, channel), sum = 0.f;
    for (i64 i = part * stretch + threadIdx.x; i < to; i += blockDim.x) {
        float normal = at(x, i) * at(r, i);
        sum += before(at(dy, i), normal * weight, activate) * normal;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// dγ [C] = the sums of the rows of parts [C, n], a block a channel
KERNEL channel_norm_add_parts(real* dgamma, const float* parts, i64 n) {
    float sum = 0.f;
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) sum += parts[blockIdx.x * n + i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) put(dgamma + blockIdx.x, sum);
}
