// The softmax of attention, of scores as they come out of tensor cores: a row lies in a quad of lanes.
//
// What is subtracted from scores need not be their maximum: a reference near it will do, and is raised when a score exceeds it by more than
// 2⁸, which after the first tiles is rare. Exponentials are powers of 2, with log₂ e in the scale: a multiply-add and an exponential a score.
#pragma once

#include "common.cuh"

static const float LOG2_E = 1.44269504f, LN_2 = 0.69314718f;

// By how much a score may exceed the reference, as a power of 2.
static const float HEADROOM = 8.f;

// 2 to the power of x, by one instruction; 0 below 2⁻¹²⁶
__device__ __forceinline__ float power_of_2(float x) {
#ifdef OTHERWISE_EMULATION
    return exp2f(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

// Over the quad of lanes that has a row
__device__ __forceinline__ float quad_sum(float v) {
    v += __shfl_xor_sync(ALL_LANES, v, 1);
    return v + __shfl_xor_sync(ALL_LANES, v, 2);
}

__device__ __forceinline__ float quad_max(float v) {
    v = fmaxf(v, __shfl_xor_sync(ALL_LANES, v, 1));
    return fmaxf(v, __shfl_xor_sync(ALL_LANES, v, 2));
}
