// The smooth functions between layers, and their derivatives: SiLU, and GELU in both its forms (Hendrycks & Gimpel 2016).
//
//     silu(x) = x · σ(x)                     σ(x) = 1 / (1 + e⁻ˣ)
//     gelu(x) = x · Φ(x)                     Φ: the normal distribution function
//     gelu_tanh(x) = x · (1 + tanh u) / 2    u = √(2/π) · (x + 0.044715·x³)
#pragma once
#include "common.cuh"

// 1/x for x of 1 … 2. Where results are bf16, what hardware approximates, off by a unit in the last place of a float: a division would be ten
// instructions, most of them for what lies outside. Floats take twice as long to come, and leave time for it.
__device__ inline float reciprocal(float x) {
#ifndef OTHERWISE_EMULATION
    if (sizeof(real) < sizeof(float)) {
        float y;
        asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
        return y;
    }
#endif
    return 1.f / x;
}

// σ(x), and σ(−x), which is 1 − σ(x) but does not cancel. e^{−|x|} does not overflow.
struct Sigmoids {
    float of_x, of_minus_x;
};

__device__ inline Sigmoids sigmoids(float x) {
    float e = expf(-fabsf(x)), large = reciprocal(1.f + e), small = e * large;
    return {x >= 0.f ? large : small, x >= 0.f ? small : large};
}

__device__ inline float sigmoid(float x) {
    return sigmoids(x).of_x;
}

__device__ inline float sigmoid_slope(float x) {
    Sigmoids s = sigmoids(x);
    return s.of_x * s.of_minus_x;
}

__device__ inline float silu(float x) {
    return x * sigmoid(x);
}

__device__ inline float silu_slope(float x) {
    Sigmoids s = sigmoids(x);
    return s.of_x + x * s.of_x * s.of_minus_x;
}

// Φ(x); far below 0 by erfc, which does not cancel
__device__ inline float normal_cdf(float x) {
    return 0.5f * erfcf(-0.70710678f * x);
}

__device__ inline float gelu(float x) {
    return x * normal_cdf(x);
}

__device__ inline float gelu_slope(float x) {
    return normal_cdf(x) + x * 0.3989422804f * expf(-0.5f * x * x);
}

// 2u, for x·(1 + tanh u)/2 = x·σ(2u)
__device__ inline float gelu_tanh_gate(float x) {
    return 2.f * 0.7978845608f * (x + 0.044715f * x * x * x);
}

__device__ inline float gelu_tanh(float x) {
    return x * sigmoid(gelu_tanh_gate(x));
}

__device__ inline float gelu_tanh_slope(float x) {
    Sigmoids s = sigmoids(gelu_tanh_gate(x));
    float slope = 2.f * 0.7978845608f * (1.f + 3.f * 0.044715f * x * x);
    return s.of_x + x * s.of_x * s.of_minus_x * slope;
}
