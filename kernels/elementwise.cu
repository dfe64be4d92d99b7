// Elementwise functions and their derivatives, arithmetic with broadcasting, and the optimiser's step.
//
// One thread a pack of elements, 16 bytes or a single one (packs.cuh), grid-stride; a launch has at most some thousands of blocks of 256. All
// are limited by memory: ideal traffic is every operand once. Java: backend/cuda/Elementwise.java, tensor/Map.java, tensor/Arithmetic.java.
#include "activation.cuh"
#include "packs.cuh"

// The order of Backend.Unary.
enum { NEG, ABS, SQUARE, SQRT, EXP, LOG, SIN, COS, TANH, SIGMOID, RELU, SILU, GELU, GELU_TANH };

// The order of Backend.Binary.
enum { ADD, SUB, MUL, DIV };

__device__ inline float function(int f, float x) {
    switch (f) {
        case NEG: return -x;
        case ABS: return fabsf(x);
        case SQUARE: return x * x;
        case SQRT: return sqrtf(x);
        case EXP: return expf(x);
        case LOG: return logf(x);
        case SIN: return sinf(x);
        case COS: return cosf(x);
        case TANH: return tanhf(x);
        case SIGMOID: return sigmoid(x);
        case RELU: return x > 0.f ? x : 0.f;
        case SILU: return silu(x);
        case GELU: return gelu(x);
        default: return gelu_tanh(x);
    }
}

__device__ inline float derivative(int f, float x) {
    switch (f) {
        case NEG: return -1.f;
        case ABS: return x > 0.f ? 1.f : x < 0.f ? -1.f : 0.f;
        case SQUARE: return 2.f * x;
        case SQRT: return 0.5f / sqrtf(x);
        case EXP: return expf(x);
        case LOG: return 1.f / x;
        case SIN: return cosf(x);
        case COS: return -sinf(x);
        case TANH: return 4.f * sigmoid_slope(2.f * x);  // 1 − tanh² would cancel far out
        case SIGMOID: return sigmoid_slope(x);
        case RELU: return x > 0.f ? 1.f : 0.f;
        case SILU: return silu_slope(x);
        case GELU: return gelu_slope(x);
        default: return gelu_tanh_slope(x);
    }
}

__device__ inline float arithmetic(int f, float u, float v) {
    switch (f) {
        case ADD: return u + v;
        case SUB: return u - v;
        case MUL: return u * v;
        default: return u / v;
    }
}

// y = f(x). y may be x.
KERNEL unary(int f, real* y, const real* x, i64 n, int pack) {
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        each_pack<N>(n, [&](i64 e) {
            auto v = load<N>(x + e);
            with_constant<GELU_TANH>(f, [&](auto f) { store<N>(y + e, [&](int k) { return function(f, v[k]); }); });
        });
    });
}

// dx = dy · f′(x). dx may be dy.
KERNEL unary_backward(int f, real* dx, const real* dy, const real* x, i64 n, int pack) {
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        each_pack<N>(n, [&](i64 e) {
            auto g = load<N>(dy + e), v = load<N>(x + e);
            with_constant<GELU_TANH>(f, [&](auto f) { store<N>(dx + e, [&](int k) { return g[k] * derivative(f, v[k]); }); });
        });
    });
}

// y = x·scale + offset. y may be x.
KERNEL affine(real* y, const real* x, float scale, float offset, i64 n, int pack) {
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        each_pack<N>(n, [&](i64 e) {
            auto v = load<N>(x + e);
            store<N>(y + e, [&](int k) { return fmaf(v[k], scale, offset); });
        });
    });
}

// y += alpha·x
KERNEL axpy(real* y, float alpha, const real* x, i64 n, int pack) {
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        each_pack<N>(n, [&](i64 e) {
            auto old = load<N>(y + e), v = load<N>(x + e);
            store<N>(y + e, [&](int k) { return fmaf(alpha, v[k], old[k]); });
        });
    });
}

// Where a and b stand for each pack of a dense y: the fastest axis last, which counts packs.
struct Broadcast {
    i64 rank;
    i64 dims[8];
    i64 a[8];
    i64 b[8];
};

// N neighbours, or the same one N times
template <int N>
__device__ __forceinline__ Pack<real, N> load_or_repeat(const real* x, bool repeat) {
    if (!repeat) return load<N>(x);
    Pack<real, N> pack;
    pack.fill(*x);
    return pack;
}

// y = a f b of n elements, a and b read with their own strides (0 repeats): along the fastest axis 1 or 0, where packs have several elements
KERNEL binary(int f, real* y, const real* a, const real* b, Broadcast axes, i64 n, int pack) {
    int last = (int) axes.rank - 1;
    bool repeat_a = axes.a[last] == 0, repeat_b = axes.b[last] == 0;
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        each_pack<N>(n, [&](i64 e) {
            i64 rest = e / N, ia = 0, ib = 0;
            for (int d = last; d > 0; d--) {
                i64 index = rest % axes.dims[d];
                rest /= axes.dims[d];
                ia += index * axes.a[d];
                ib += index * axes.b[d];
            }
            auto u = load_or_repeat<N>(a + ia + rest * axes.a[0], repeat_a), v = load_or_repeat<N>(b + ib + rest * axes.b[0], repeat_b);
            with_constant<DIV>(f, [&](auto f) { store<N>(y + e, [&](int k) { return arithmetic(f, u[k], v[k]); }); });
        });
    });
}

// What a step of AdamW needs, computed in double: 1 − β in float would have lost half its digits.
struct AdamW {
    float keep;  // 1 − lr·decay
    float rate;  // lr/(1 − β₁ᵗ)
    float root;  // 1/√(1 − β₂ᵗ)
    float beta1, rest1;  // β₁, 1 − β₁
    float beta2, rest2;
    float eps;
};

// A step of AdamW (Loshchilov & Hutter 2019), in place. m and v are floats whatever the storage: of 8 digits, 0.999 · v would be v again.
KERNEL adamw(real* p, float* m, float* v, const real* g, AdamW s, i64 n, int pack) {
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        each_pack<N>(n, [&](i64 e) {
            auto ps = load<N>(p + e), gs = load<N>(g + e);
            auto ms = load<N>(m + e), vs = load<N>(v + e);
            float mi[N], vi[N];
            for (int k = 0; k < N; k++) {
                mi[k] = s.beta1 * ms[k] + s.rest1 * gs[k];
                vi[k] = s.beta2 * vs[k] + s.rest2 * gs[k] * gs[k];
            }
            write(m + e, mi);
            write(v + e, vi);
            store<N>(p + e, [&](int k) { return ps[k] * s.keep - s.rate * mi[k] / (sqrtf(vi[k]) * s.root + s.eps); });
        });
    });
}
