// Kernels that do what no kernel may do: see EmulatedDriverTest.
#include "packs.cuh"

KERNEL writes_beyond(real* y) {
    put(y + thread_number(), 1.f);
}

KERNEL reads_beyond(real* y, const real* x, i64 n) {
    i64 i = thread_number();
    if (i < n) put(y + i, at(x, i + 1));
}

KERNEL reads_unwritten(real* y, const real* x, i64 n) {
    i64 i = thread_number();
    if (i < n) put(y + i, at(x, i));
}

KERNEL reads_16_bytes(real* y, const real* x) {
    store<1>(y, [&](int) { return load<PACK>(x)[0]; });
}

KERNEL writes_16_bytes(real* y) {
    store<PACK>(y, [&](int) { return 1.f; });
}

KERNEL copies_8_bytes(i64* y, const i64* x) {
    *y = *x;
}

KERNEL copies_16_bytes(uint4* y, const uint4* x) {
    *y = *x;
}

KERNEL some_reach_the_barrier(real* y) {
    if (threadIdx.x < 40) __syncthreads();
    put(y, 1.f);
}

KERNEL some_leave_before_the_barrier(real* y, int n) {
    if ((int) threadIdx.x >= n) return;
    __syncthreads();
    put(y, 1.f);
}

KERNEL half_a_warp_shuffles(real* y) {
    float v = 1.f;
    if (threadIdx.x < 16) v = __shfl_xor_sync(ALL_LANES, v, 1);
    put(y, v);
}

KERNEL reads_shared_before_it_is_written(real* y) {
    DYNAMIC_SHARED(float, s);
    if (threadIdx.x == 3) s[3] = 1.f;
    __syncthreads();
    put(y + threadIdx.x, s[threadIdx.x]);
}

KERNEL writes_beyond_shared(real* y) {
    DYNAMIC_SHARED(float, s);
    s[threadIdx.x] = 1.f;
    put(y, 1.f);
}

KERNEL writes_to_nothing(real* y) {
    put(y, 1.f);
}

// What is right: a sum over a block, by shuffles, votes and shared memory.
KERNEL sums(real* y, const real* x, int n) {
    DYNAMIC_SHARED(float, s);
    int i = (int) threadIdx.x;
    s[i] = i < n ? at(x, i) : 0.f;
    __syncthreads();
    float other = s[blockDim.x - 1 - i];
    __syncthreads();
    float sum = block_sum(other);
    unsigned votes = __ballot_sync(ALL_LANES, i < n);
    int lane = i % 32;
    bool right = __shfl_sync(ALL_LANES, lane, 7) == 7 && __shfl_up_sync(ALL_LANES, lane, 3) == (lane < 3 ? lane : lane - 3)
        && __shfl_down_sync(ALL_LANES, lane, 3) == (lane > 28 ? lane : lane + 3) && __any_sync(ALL_LANES, lane == 31)
        && !__any_sync(ALL_LANES, lane == 32) && !__all_sync(ALL_LANES, lane > 0) && __all_sync(ALL_LANES, lane >= 0);
    __syncwarp();
    put(y + 3 + i, right ? 1.f : 0.f);
    if (i == 0) {
        put(y, sum);
        put(y + 1, (float) votes);
        put(y + 2, (float) blockDim.x);
    }
}
