// Sums and maxima over one axis: x [outer, n, inner] -> y [outer, inner].
//
// Both kernels reduce stretches of the axis, [outer, parts, inner], and run again on what they made until one part is left: the order of
// additions depends on the sizes alone, and on whether x is read in packs of 16 bytes (packs.cuh). Ideal traffic: x once.
// Java: backend/cuda/Reductions.java.
#include "packs.cuh"

enum { SUM, MAX };

__device__ inline float nothing(int f) {
    return f == SUM ? 0.f : -INFINITY;
}

__device__ inline float both(int f, float u, float v) {
    return f == SUM ? u + v : fmaxf(u, v);
}

// inner = 1: a block a stretch, block b of outer · parts. Neighbouring threads read neighbouring packs of N elements. The sums of the stretches
// are floats whatever x is.
template <int N, class T>
__device__ inline void reduce_rows(int f, float* y, const T* x, i64 n, i64 stretch, i64 parts) {
    i64 o = blockIdx.x / parts, part = blockIdx.x % parts;
    i64 from = part * stretch, to = min(from + stretch, n);
    float v = nothing(f);
    for (i64 i = from + N * threadIdx.x; i < to; i += N * blockDim.x) {
        auto us = load<N>(x + o * n + i);
        for (int k = 0; k < N; k++) v = both(f, v, us[k]);
    }
    v = f == SUM ? block_sum(v) : block_max(v);
    if (threadIdx.x == 0) y[blockIdx.x] = v;
}

// inner > 1: a thread a pack of N elements of y, which goes along the axis; neighbouring threads stand on neighbouring packs.
template <int N, class T>
__device__ inline void reduce_columns(int f, float* y, const T* x, i64 n, i64 inner, i64 stretch, i64 parts, i64 all) {
    each_pack<N>(all, [&](i64 e) {
        i64 j = e % inner, part = e / inner % parts, o = e / inner / parts;
        i64 from = part * stretch, to = min(from + stretch, n);
        float v[N];
        for (int k = 0; k < N; k++) v[k] = nothing(f);
        for (i64 i = from; i < to; i++) {
            auto us = load<N>(x + (o * n + i) * inner + j);
            for (int k = 0; k < N; k++) v[k] = both(f, v[k], us[k]);
        }
        write(y + e, v);
    });
}

KERNEL reduce_rows_first(int f, float* y, const real* x, i64 n, i64 stretch, i64 parts, int pack) {
    with_packs(pack, [&](auto size) { reduce_rows<size>(f, y, x, n, stretch, parts); });
}

KERNEL reduce_rows_again(int f, float* y, const float* x, i64 n, i64 stretch, i64 parts) {
    reduce_rows<1>(f, y, x, n, stretch, parts);
}

KERNEL reduce_columns_first(int f, float* y, const real* x, i64 n, i64 inner, i64 stretch, i64 parts, i64 all, int pack) {
    with_packs(pack, [&](auto size) { reduce_columns<size>(f, y, x, n, inner, stretch, parts, all); });
}

KERNEL reduce_columns_again(int f, float* y, const float* x, i64 n, i64 inner, i64 stretch, i64 parts, i64 all) {
    reduce_columns<1>(f, y, x, n, inner, stretch, parts, all);
}

// y = x, from float to storage
KERNEL reduce_store(real* y, const float* x, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) put(y + i, x[i]);
}
