// CUDA C++ for g++: what kernels use of the language, over the runtime in emulation.cpp.
//
// Every thread of a block is a fiber with a stack of its own. Fibers of a block run on one processor, one at a time, and change places
// only at barriers, shuffles and votes; blocks of a grid are shared among processors.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

using std::isinf;
using std::isnan;
using std::signbit;

#define __global__
#define __device__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static thread_local

struct dim3 {
    unsigned x, y, z;
};

namespace emulated {

// Where a thread is. One a fiber.
struct Place {
    dim3 thread;
    int lane;
};

// Of the fiber that runs on this processor, and what all threads of its block share.
extern thread_local Place* here;
extern thread_local dim3 block;
extern thread_local dim3 grid_size;
extern thread_local dim3 block_size;
extern thread_local unsigned char* dynamic_shared;

// Waits for all threads of the block; `line` is told where it fails.
void barrier(int line);

// Waits for all lanes of the warp that `mask` names, each of which gives 8 bytes; returns what `lanes` lanes gave, in the order of lanes.
const uint64_t* exchange(unsigned mask, uint64_t mine, int line);

template <class T>
inline uint64_t packed(T v) {
    static_assert(sizeof(T) <= 8);
    uint64_t bits = 0;
    std::memcpy(&bits, &v, sizeof(T));
    return bits;
}

template <class T>
inline T unpacked(uint64_t bits) {
    T v;
    std::memcpy(&v, &bits, sizeof(T));
    return v;
}

// What lane `from` gave, or one's own where that lane does not take part.
template <class T>
inline T shuffled(unsigned mask, T v, int from, int line) {
    const uint64_t* all = exchange(mask, packed(v), line);
    return from >= 0 && from < 32 && (mask >> from & 1u) ? unpacked<T>(all[from]) : v;
}

// Calls a kernel with arguments of its own types.
template <class... A, size_t... I>
inline void call(void (*kernel)(A...), void** arguments, std::index_sequence<I...>) {
    kernel(*static_cast<A*>(arguments[I])...);
}

template <class... A>
inline void call(void (*kernel)(A...), void** arguments) {
    call(kernel, arguments, std::index_sequence_for<A...>());
}

// The sizes of its arguments; returns how many there are.
template <class... A>
inline int sizes(void (*)(A...), unsigned char* to) {
    const unsigned char all[] = {sizeof(A)..., 0};
    std::memcpy(to, all, sizeof...(A));
    return (int) sizeof...(A);
}

}  // namespace emulated

// Added to the end of a kernel file, once for each kernel in it: what the Java side calls.
#define EMULATED_KERNEL(name)                                                                                     \
    extern "C" void call_##name(void** arguments) { emulated::call(name, arguments); }                            \
    extern "C" int sizes_##name(unsigned char* to) { return emulated::sizes(name, to); }

#define threadIdx (emulated::here->thread)
#define blockIdx (emulated::block)
#define gridDim (emulated::grid_size)
#define blockDim (emulated::block_size)

#define DYNAMIC_SHARED(T, name) T* name = reinterpret_cast<T*>(emulated::dynamic_shared)

#define __syncthreads() emulated::barrier(__LINE__)
#define __syncwarp(...) emulated::exchange(0xffffffffu, 0, __LINE__)
#define __shfl_sync(mask, v, from) emulated::shuffled(mask, v, (int) (from) & 31, __LINE__)
#define __shfl_xor_sync(mask, v, d) emulated::shuffled(mask, v, emulated::here->lane ^ (int) (d), __LINE__)
#define __shfl_down_sync(mask, v, d) emulated::shuffled(mask, v, emulated::here->lane + (int) (d), __LINE__)
#define __shfl_up_sync(mask, v, d) emulated::shuffled(mask, v, emulated::here->lane - (int) (d), __LINE__)
#define __ballot_sync(mask, p) emulated::ballot(mask, (p) != 0, __LINE__)
#define __any_sync(mask, p) (emulated::ballot(mask, (p) != 0, __LINE__) != 0u)
#define __all_sync(mask, p) (emulated::ballot(mask, (p) == 0, __LINE__) == 0u)

namespace emulated {

inline unsigned ballot(unsigned mask, bool yes, int line) {
    const uint64_t* all = exchange(mask, yes, line);
    unsigned votes = 0;
    for (int i = 0; i < 32; i++) {
        if ((mask >> i & 1u) && all[i]) votes |= 1u << i;
    }
    return votes;
}

}  // namespace emulated

inline int __float_as_int(float x) {
    return emulated::unpacked<int>(emulated::packed(x));
}

inline float __int_as_float(int x) {
    return emulated::unpacked<float>(emulated::packed(x));
}

template <class T>
inline T min(T a, T b) {
    return b < a ? b : a;
}

template <class T>
inline T max(T a, T b) {
    return a < b ? b : a;
}

inline unsigned long long atomicAdd(unsigned long long* to, unsigned long long v) {
    return __atomic_fetch_add(to, v, __ATOMIC_RELAXED);
}
