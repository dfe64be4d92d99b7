// What every kernel file begins with. Nothing of the CUDA toolkit is included, so that NVRTC, nvcc and g++ (with emulation/) all read the
// same text.
//
// A file is compiled once for each storage type: `real` is float or bf16. Sums are always in float.
#pragma once

#ifdef OTHERWISE_EMULATION
#include "emulation/emulation.h"
#else
// Memory whose size is given at launch, as an array of T named `name`.
#define DYNAMIC_SHARED(T, name)                               \
    extern __shared__ __align__(16) unsigned char name##_raw[]; \
    T* name = reinterpret_cast<T*>(name##_raw)
#endif

// NVRTC has no <math.h> to take these from.
#ifdef __CUDACC_RTC__
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
#ifndef NAN
#define NAN __int_as_float(0x7fffffff)
#endif
#endif

typedef long long i64;

// The upper half of a float: 8 bits of exponent, 7 of fraction.
struct bf16 {
    unsigned short bits;
};

#ifndef REAL
#define REAL float
#endif
typedef REAL real;

#define KERNEL extern "C" __global__ void

static const unsigned ALL_LANES = 0xffffffffu;

__device__ inline float to_float(float x) {
    return x;
}

__device__ inline float to_float(bf16 x) {
    return __int_as_float((int) ((unsigned) x.bits << 16));
}

// Rounds to nearest, ties to even; NaN stays NaN.
__device__ inline bf16 to_bf16(float x) {
    unsigned bits = (unsigned) __float_as_int(x);
    bf16 y;
    if ((bits & 0x7fffffffu) > 0x7f800000u) y.bits = (unsigned short) ((bits >> 16) | 0x40u);
    else y.bits = (unsigned short) ((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
    return y;
}

__device__ inline void put(float* to, float x) {
    *to = x;
}

__device__ inline void put(bf16* to, float x) {
    *to = to_bf16(x);
}

// x[i] as a float, whatever the storage
template <class T>
__device__ inline float at(const T* x, i64 i) {
    return to_float(x[i]);
}

// The number of this thread among all of a one-dimensional launch, and how many there are.
__device__ inline i64 thread_number() {
    return (i64) blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ inline i64 thread_count() {
    return (i64) gridDim.x * blockDim.x;
}

// Sums and maxima over a warp: every lane gets the result, in a fixed order of additions.
__device__ inline float warp_sum(float v) {
    for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(ALL_LANES, v, d);
    return v;
}

__device__ inline float warp_max(float v) {
    for (int d = 16; d > 0; d /= 2) v = fmaxf(v, __shfl_xor_sync(ALL_LANES, v, d));
    return v;
}

// The same over a block of whole warps, at most 1024 threads (blockDim.y = z = 1). All threads must call it, and get the result.
__device__ inline float block_sum(float v) {
    __shared__ float parts[32];
    int warps = (int) (blockDim.x / 32);
    v = warp_sum(v);
    __syncthreads();
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;
    __syncthreads();
    float sum = (int) (threadIdx.x % 32) < warps ? parts[threadIdx.x % 32] : 0.f;
    return warp_sum(sum);
}

__device__ inline float block_max(float v) {
    __shared__ float parts[32];
    int warps = (int) (blockDim.x / 32);
    v = warp_max(v);
    __syncthreads();
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;
    __syncthreads();
    float most = (int) (threadIdx.x % 32) < warps ? parts[threadIdx.x % 32] : -INFINITY;
    return warp_max(most);
}
