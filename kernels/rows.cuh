// How threads share out rows [rows, C], for kernels that go along each of them several times.
//
// Neighbouring threads stand on neighbouring packs of a row: 16 bytes each, or an element where a row's address or width asks for it
// (packs.cuh). A thread reads 4 packs and keeps them in registers, and a row has as many warps as that takes, 16 at most: 1536 of bf16 have 2
// warps, 5120 have 5. So a row is read from memory once, and the passes over it read registers. Only of rows that are longer than 16 · 32 · 4
// packs (16,384 of bf16, 2,048 where elements go one by one) the rest is read again by each pass. Rows of one warp share blocks of 8. What is
// read of [C] again and again comes from a cache. Java: backend/cuda/Rows.java.
#pragma once
#include "packs.cuh"

// Packs of a row that a thread keeps; as in Rows.java.
static const int HELD = 4;

template <int N>
using Row = Held<N, HELD>;

// The row of this thread, given the geometry above. A warp has one row only, so that it leaves as a whole where there is none.
__device__ inline i64 row_number() {
    return (i64) blockIdx.x * blockDim.y + threadIdx.y;
}

// This thread's way along a row of c, from element to element by packs of N.
template <int N>
__device__ inline Walk along(i64 c) {
    return {N * (i64) threadIdx.x, c, N * (i64) blockDim.x, 1};
}

// Over the threads of one row
__device__ inline float row_sum(float v) {
    return blockDim.x == 32 ? warp_sum(v) : block_sum(v);
}

__device__ inline float row_max(float v) {
    return blockDim.x == 32 ? warp_max(v) : block_max(v);
}

// 1/√(Σ (x − mean)² / C + ε) of one row
template <int N>
__device__ inline float row_scale(const Row<N>& x, const Walk& walk, float mean, float eps, i64 c) {
    float squares = 0.f;
    each(walk, [&](i64, const Pack<real, N>& v) {
        for (int k = 0; k < N; k++) squares += (v[k] - mean) * (v[k] - mean);
    }, x);
    return 1.f / sqrtf(row_sum(squares) / (float) c + eps);
}
