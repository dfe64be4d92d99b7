// The Wan VAE's normalisation over channels, where channels are slower than pixels: x [outer, C, inner], r [outer, inner], γ [C]; and with
// `activate` the SiLU that follows it everywhere but before attention.
//
//     y = x · r · γ                       r = √C / max(‖x‖₂ over C, 1e-12)
//     dx = r · (γ·dy − x · s/‖x‖²)        s = Σ over C of γ·dy·x; without the second term where ‖x‖₂ < 1e-12, for r is constant there
//     dγ = Σ over the pixels of dy·x·r
//
//     y = silu(x · r · γ)                 the same with dy · silu′(x·r·γ) for dy, computed again wherever it is needed
//
// A thread stands on neighbouring pixels, 16 bytes of them or a single one (packs.cuh), and goes through some of their channels: a block has 8
// packs of pixels beside each other, 128 bytes, or 32 single pixels, and as many threads for each as keep 6 channels in registers, 256 in
// all at most. What they find is added by shuffles, and then over the warps in order. So x is read from memory once; of more than 192
// channels (48 where pixels go one by one) the rest is read again, but a block's share of it is small enough for a cache. dγ: a block a
// channel and stretch of pixels, then a block a channel adds the stretches. Ideal traffic: x and y forward, x, dy and dx backward, with SiLU
// or without. Java: backend/cuda/Rows.java, tensor/ChannelNorm.java.
#include "activation.cuh"
#include "packs.cuh"

static const float SMALLEST = 1e-12f;

// Packs that a thread keeps; as in Rows.java.
static const int HELD = 6;

// Adds up v[k] over the threads of this block that have the same threadIdx.x: all of them get the sums. A block is 8 or 32 threads wide and at
// most 8 warps large.
template <int N>
__device__ inline void sum_over_channels(float (&v)[N]) {
    __shared__ float parts[8][64];
    int thread = (int) (threadIdx.y * blockDim.x + threadIdx.x), warps = (int) (blockDim.x * blockDim.y / 32);
    for (int d = 16; d >= (int) blockDim.x; d /= 2) {
#pragma unroll
        for (int k = 0; k < N; k++) v[k] += __shfl_xor_sync(ALL_LANES, v[k], d);
    }
    __syncthreads();
    if (thread % 32 < (int) blockDim.x) {
#pragma unroll
        for (int k = 0; k < N; k++) parts[thread / 32][threadIdx.x * N + k] = v[k];
    }
    __syncthreads();
    if (thread < (int) blockDim.x * N) {
        float sum = 0.f;
        for (int warp = 0; warp < warps; warp++) sum += parts[warp][thread];
        parts[0][thread] = sum;
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < N; k++) v[k] = parts[0][threadIdx.x * N + k];
}

// The first of this thread's N neighbouring pixels, of n
template <int N>
__device__ inline i64 pixel_number() {
    return N * ((i64) blockIdx.x * blockDim.x + threadIdx.x);
}

// This thread's way through their channels, from the pixel's place in the first on. Where no pixel is there is no channel, but the thread takes
// part in the sums.
__device__ inline Walk through(bool exists, i64 c, i64 inner) {
    return {threadIdx.y, exists ? c : 0, blockDim.y, inner};
}

// y = x·r·γ, or silu of it; n pixels
KERNEL channel_norm(real* y, float* r, const real* x, const real* gamma, int activate, i64 c, i64 inner, i64 n, int pack) {
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        i64 i = pixel_number<N>(), first = i / inner * c * inner + i % inner;
        Walk walk = through(i < n, c, inner);
        Held<N, HELD> xs(x + first, walk);
        float scale[N] = {};
        each(walk, [&](i64, const Pack<real, N>& v) {
            for (int k = 0; k < N; k++) scale[k] += v[k] * v[k];
        }, xs);
        sum_over_channels(scale);
        for (int k = 0; k < N; k++) scale[k] = sqrtf((float) c) / fmaxf(sqrtf(scale[k]), SMALLEST);
        if (threadIdx.y == 0 && i < n) write(r + i, scale);
        each(walk, [&](i64 channel, const Pack<real, N>& v) {
            float weight = at(gamma, channel);
            store<N>(y + first + channel * inner, [&](int k) {
                float u = v[k] * scale[k] * weight;
                return activate ? silu(u) : u;
            });
        }, xs);
    });
}

// The gradient to v = x·r·γ from that to y.
__device__ inline float before(float dy, float v, int activate) {
    return activate ? dy * silu_slope(v) : dy;
}

// At most 128 registers, so that a multiprocessor has room for two blocks: one reads while the other computes.
extern "C" __global__ void __launch_bounds__(256, 2)
    channel_norm_to_input(real*, const real*, const real*, const float*, const real*, int, i64, i64, i64, int);

// dx = r · (γ·dy − x · s/‖x‖²); n pixels
KERNEL channel_norm_to_input(
    real* dx, const real* dy, const real* x, const float* r, const real* gamma, int activate, i64 c, i64 inner, i64 n, int pack) {
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        i64 i = pixel_number<N>(), first = i / inner * c * inner + i % inner;
        Walk walk = through(i < n, c, inner);
        Held<N, HELD> gs(dy + first, walk), xs(x + first, walk);
        Pack<float, N> scale = {};
        if (i < n) scale.read(r + i);
        float squares[N] = {}, dot[N] = {};
        each(walk, [&](i64 channel, const Pack<real, N>& g, const Pack<real, N>& v) {
            float weight = at(gamma, channel);
            for (int k = 0; k < N; k++) {
                squares[k] += v[k] * v[k];
                dot[k] += weight * before(g[k], v[k] * scale[k] * weight, activate) * v[k];
            }
        }, gs, xs);
        sum_over_channels(squares);
        sum_over_channels(dot);
        for (int k = 0; k < N; k++) dot[k] = sqrtf(squares[k]) < SMALLEST ? 0.f : dot[k] / squares[k];
        each(walk, [&](i64 channel, const Pack<real, N>& g, const Pack<real, N>& v) {
            float weight = at(gamma, channel);
            store<N>(dx + first + channel * inner, [&](int k) {
                return scale[k] * (weight * before(g[k], v[k] * scale[k] * weight, activate) - v[k] * dot[k]);
            });
        }, gs, xs);
    });
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
