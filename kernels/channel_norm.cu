// The Wan VAE's normalisation over channels, where channels are slower than pixels: x [outer, C, inner], r [outer, inner], γ [C].
//
//     y = x · r · γ                       r = √C / max(‖x‖₂ over C, 1e-12)
//     dx = r · (γ·dy − x · s/‖x‖²)        s = Σ over C of γ·dy·x; without the second term where ‖x‖₂ < 1e-12, for r is constant there
//     dγ = Σ over the pixels of dy·x·r
//
// One thread a pixel, grid-stride, which goes through the channels twice; neighbouring threads stand on neighbouring pixels. dγ: a block a
// channel and stretch of pixels, then a block a channel adds the stretches. x is read twice, and its lines of one block are too many for a
// cache: traffic is three times that of x forward, five times backward. Java: backend/cuda/Rows.java, tensor/ChannelNorm.java.
#include "common.cuh"

static const float SMALLEST = 1e-12f;

// y = x·r·γ; n pixels
KERNEL channel_norm(real* y, float* r, const real* x, const real* gamma, i64 c, i64 inner, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) {
        i64 first = i / inner * c * inner + i % inner;
        float squares = 0.f;
        for (i64 k = 0; k < c; k++) {
            float v = at(x, first + k * inner);
            squares += v * v;
        }
        float scale = sqrtf((float) c) / fmaxf(sqrtf(squares), SMALLEST);
        put(r + i, scale);
        for (i64 k = 0; k < c; k++) put(y + first + k * inner, at(x, first + k * inner) * scale * at(gamma, k));
    }
}

// dx = r · (γ·dy − x · s/‖x‖²); n pixels
KERNEL channel_norm_to_input(real* dx, const real* dy, const real* x, const float* r, const real* gamma, i64 c, i64 inner, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) {
        i64 first = i / inner * c * inner + i % inner;
        float squares = 0.f, dot = 0.f;
        for (i64 k = 0; k < c; k++) {
            float v = at(x, first + k * inner);
            squares += v * v;
            dot += at(gamma, k) * at(dy, first + k * inner) * v;
        }
        float scale = at(r, i), slope = sqrtf(squares) < SMALLEST ? 0.f : dot / squares;
        for (i64 k = 0; k < c; k++) {
            i64 e = first + k * inner;
            put(dx + e, scale * (at(gamma, k) * at(dy, e) - at(x, e) * slope));
        }
    }
}

// parts [C, outer, stretches] = Σ dy·x·r over a stretch of pixels: block b of C · outer · stretches
KERNEL channel_norm_to_gamma(
    float* parts, const real* dy, const real* x, const float* r, i64 outer, i64 c, i64 inner, i64 stretch, i64 stretches) {
    i64 part = blockIdx.x % stretches, o = blockIdx.x / stretches % outer, channel = blockIdx.x / stretches / outer;
    i64 to = min((part + 1) * stretch, inner);
    dy += (o * c + channel) * inner;
    x += (o * c + channel) * inner;
    r += o * inner;
    float sum = 0.f;
    for (i64 i = part * stretch + threadIdx.x; i < to; i += blockDim.x) sum += at(dy, i) * at(x, i) * at(r, i);
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
