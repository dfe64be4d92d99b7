// Elementwise functions and their derivatives, arithmetic with broadcasting, and the optimiser's step.
//
// One thread an element, grid-stride; a launch has at most some thousands of blocks of 256. All are limited by memory: ideal traffic is
// every operand once. Java: backend/cuda/Elementwise.java, tensor/Map.java, tensor/Arithmetic.java.
#include "activation.cuh"

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
        case TANH: return 4.f * sigmoid(2.f * x) * sigmoid(-2.f * x);  // 1 − tanh² would cancel far out
        case SIGMOID: return sigmoid(x) * sigmoid(-x);
        case RELU: return x > 0.f ? 1.f : 0.f;
        case SILU: return silu_slope(x);
        case GELU: return gelu_slope(x);
        default: return gelu_tanh_slope(x);
    }
}

// y = f(x). y may be x.
KERNEL unary(int f, real* y, const real* x, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) put(y + i, function(f, at(x, i)));
}

// dx = dy · f′(x). dx may be dy.
KERNEL unary_backward(int f, real* dx, const real* dy, const real* x, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) put(dx + i, at(dy, i) * derivative(f, at(x, i)));
}

// y = x·scale + offset. y may be x.
KERNEL affine(real* y, const real* x, float scale, float offset, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) put(y + i, fmaf(at(x, i), scale, offset));
}

// y += alpha·x
KERNEL axpy(real* y, float alpha, const real* x, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) put(y + i, fmaf(alpha, at(x, i), at(y, i)));
}

// Where a and b stand for each element of a dense y: the fastest axis last.
struct Broadcast {
    i64 rank;
    i64 dims[8];
    i64 a[8];
    i64 b[8];
};

// y = a f b, a and b read with their own strides (0 repeats)
KERNEL binary(int f, real* y, const real* a, const real* b, Broadcast axes, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) {
        i64 rest = i, ia = 0, ib = 0;
        for (int d = (int) axes.rank - 1; d >= 0; d--) {
            i64 index = rest % axes.dims[d];
            rest /= axes.dims[d];
            ia += index * axes.a[d];
            ib += index * axes.b[d];
        }
        float u = at(a, ia), v = at(b, ib);
        put(y + i, f == ADD ? u + v : f == SUB ? u - v : f == MUL ? u * v : u / v);
    }
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

// A step of AdamW (Loshchilov & Hutter 2019), in place.
// m and v are floats whatever the storage: of 8 digits, 0.999 · v would be v again.
KERNEL adamw(real* p, float* m, float* v, const real* g, AdamW s, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) {
        float gi = at(g, i);
        float mi = s.beta1 * at(m, i) + s.rest1 * gi;
        float vi = s.beta2 * at(v, i) + s.rest2 * gi * gi;
        put(m + i, mi);
        put(v + i, vi);
        put(p + i, at(p, i) * s.keep - s.rate * mi / (sqrtf(vi) * s.root + s.eps));
    }
}
