// The smooth functions between layers, and their derivatives: SiLU, and GELU in both its forms (Hendrycks & Gimpel 2016).
//
//     silu(x) = x · σ(x)                     σ(x) = 1 / (1 + e⁻ˣ)
//     gelu(x) = x · Φ(x)                     Φ: the normal distribution function
//     gelu_tanh(x) = x · (1 + tanh u) / 2    u = √(2/π) · (x + 0.044715·x³)
#pragma once
#include "common.cuh"

// e^{−|x|} does not overflow.
__device__ inline float sigmoid(float x) {
    float e = expf(-fabsf(x));
    return (x >= 0.f ? 1.f : e) / (1.f + e);
}

__device__ inline float silu(float x) {
    return x * sigmoid(x);
}

__device__ inline float silu_slope(float x) {
    float s = sigmoid(x);
    return s + x * s * sigmoid(-x);
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
    float gate = gelu_tanh_gate(x), s = sigmoid(gate);
    float slope = 2.f * 0.7978845608f * (1.f + 3.f * 0.044715f * x * x);
    return s + x * s * sigmoid(-gate) * slope;
}
