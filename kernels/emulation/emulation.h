// CUDA C++ for g++: what kernels use of the language, over the runtime in emulation.cpp.
//
// Every thread of a block is a fiber with a stack of its own. Fibers of a block run on one processor, one at a time, and change places
// only at barriers, shuffles and votes; blocks of a grid are shared among processors. Blocks of a cluster run on one processor, too, at
// the same time; each has dynamic shared memory of its own, but no other: a __shared__ variable would be one for all of them.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

using std::isinf;
using std::isnan;
using std::signbit;

#define __global__
#define __device__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static thread_local

struct dim3 {
    unsigned x, y, z;
};

struct alignas(8) uint2 {
    unsigned x, y;
};

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

struct alignas(16) float4 {
    float x, y, z, w;
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

// Calls `all` once every thread of this one's team (a warp, or a warp group) has come here, with what each of them gave, in the order of
// threads; all go on when it has returned. What they give lies on their stacks.
void together(int team, void (*all)(void** given), void* mine, int line);

// Ends the launch: this thread did what no device can do.
[[noreturn]] void refuse(const char* what);

// What a thread reads or writes 16 bytes at.
inline void check_aligned(const void* at) {
    if ((uintptr_t) at % 16 != 0) refuse("reads or writes 16 bytes at once, where they are not aligned to 16 bytes");
}

// A copy of 16 bytes that takes its time: half of the threads copy at once, the others when they wait for it. Until then nobody may
// read what it overwrites.
void copy_later(void* to, const uint64_t (&bytes)[2]);
void copies_end();
void copies_wait(int pending);

// What a device does by itself, beside its threads.
struct Work {
    unsigned char* shared = nullptr;  // of the block to which it brings something

    virtual void perform() = 0;
    virtual bool reads(const void* /*from*/, size_t /*bytes*/) const { return false; }
    virtual ~Work() = default;
};

// Some work is done at once, the rest as late as can be, when no thread of the block, or the cluster, can go on. Nothing in it can fail.
void by_itself(std::unique_ptr<Work> work);

// Lets others run until `done(of)`.
void wait_until(bool (*done)(const void*), const void* of, int line);

// Lets all others run who can, before this thread goes on.
void let_others_run(int line);

// As if the thread read these bytes; as if it wrote these bytes, which then are under way or a barrier. VISIBLE: the device has written.
void check_read(const void* from, size_t bytes);
enum class Mark { UNDER_WAY, BARRIER, VISIBLE };
void mark(void* at, size_t bytes, Mark as);

// What the device finds in shared memory, if it finds the same in all of these bytes. A fence makes visible what threads have written.
enum class Seen { NOTHING, WRITTEN, WRITTEN_BEFORE_A_FENCE, BARRIER, BARRIER_BEFORE_A_FENCE };
Seen seen(const void* at, size_t bytes);
void make_visible();

// This block's place in its cluster; the dynamic shared memory of the block that has some place, and has not ended.
int rank_in_cluster();
unsigned char* shared_of(int rank);

// Waits for all threads of the cluster's blocks that have not ended.
void barrier_of_cluster(int line);

// Other blocks see a barrier after a fence of the thread that has made it and then a barrier of the cluster.
void fence_barriers();
bool shown_to_cluster(const void* barrier);

// The products of this thread's warp group, begun in groups, and done when they are waited for, so that what is overwritten too early is
// found out.
void products_fence();
void products_begin(Work* work);
void products_commit();
void products_wait(int pending);

// Whether products that are under way, of whatever warp group, read any of these bytes.
bool products_read(const void* from, size_t bytes);

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

// Added to the end of a kernel file, once for each kernel in it, which runs in clusters of so many blocks: what the Java side calls.
#define EMULATED_KERNEL(name, cluster)                                                                            \
    extern "C" void call_##name(void** arguments) { emulated::call(name, arguments); }                            \
    extern "C" int sizes_##name(unsigned char* to) { return emulated::sizes(name, to); }                          \
    extern "C" int cluster_##name() { return cluster; }

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

// ---- tensor cores, as kernels/tensor_cores.cuh describes them ---------------------------------------------------------------------

namespace emulated {

inline unsigned tf32(float x) {
    unsigned bits = unpacked<unsigned>(packed(x));
    return ((bits & 0x7f800000u) == 0x7f800000u ? bits : bits + 0x1000u) & 0xffffe000u;
}

inline float half_of(unsigned pair, int which) {
    return unpacked<float>(which == 0 ? pair << 16 : pair & 0xffff0000u);
}

// One lane's share of a product.
struct Fragments {
    float* d;
    const unsigned* a;
    const unsigned* b;
};

// d [16, 8] += a [16, terms] · b [terms, 8], given as functions of their indices
template <class A, class B>
inline void multiply(void** lanes, int terms, A a, B b) {
    for (int row = 0; row < 16; row++) {
        for (int column = 0; column < 8; column++) {
            float& d = static_cast<Fragments*>(lanes[row % 8 * 4 + column / 2])->d[row / 8 * 2 + column % 2];
            float sum = d;
            for (int k = 0; k < terms; k++) sum += a(row, k) * b(k, column);
            d = sum;
        }
    }
}

inline void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], int line) {
    Fragments mine = {d, a, b};
    together(32, [](void** lanes) {
        auto of = [lanes](int lane) { return static_cast<const Fragments*>(lanes[lane]); };
        multiply(lanes, 16,
            [of](int row, int k) { return half_of(of(row % 8 * 4 + k % 8 / 2)->a[k / 8 * 2 + row / 8], k % 2); },
            [of](int k, int column) { return half_of(of(column * 4 + k % 8 / 2)->b[k / 8], k % 2); });
    }, &mine, line);
}

inline void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], int line) {
    Fragments mine = {d, a, b};
    together(32, [](void** lanes) {
        auto of = [lanes](int lane) { return static_cast<const Fragments*>(lanes[lane]); };
        auto seen = [](unsigned bits) { return unpacked<float>(bits & 0xffffe000u); };
        multiply(lanes, 8,
            [of, seen](int row, int k) { return seen(of(row % 8 * 4 + k % 4)->a[k / 4 * 2 + row / 8]); },
            [of, seen](int k, int column) { return seen(of(column * 4 + k % 4)->b[k / 4]); });
    }, &mine, line);
}

// The row that a lane names, and what it gets.
struct MatrixRow {
    unsigned short row[8];
    unsigned* got;
    bool transposed;
};

inline void load_matrices(unsigned (&r)[4], const void* row, bool transposed, int line) {
    if ((uintptr_t) row % 16 != 0) refuse("loads a matrix row that is not aligned to 16 bytes");
    MatrixRow mine;
    for (int i = 0; i < 8; i++) mine.row[i] = static_cast<const unsigned short*>(row)[i];
    mine.got = r;
    mine.transposed = transposed;
    together(32, [](void** lanes) {
        auto of = [lanes](int lane) { return static_cast<MatrixRow*>(lanes[lane]); };
        for (int lane = 0; lane < 32; lane++) {
            int g = lane / 4, t = lane % 4;
            for (int i = 0; i < 4; i++) {
                unsigned low = of(lane)->transposed ? of(8 * i + 2 * t)->row[g] : of(8 * i + g)->row[2 * t];
                unsigned high = of(lane)->transposed ? of(8 * i + 2 * t + 1)->row[g] : of(8 * i + g)->row[2 * t + 1];
                of(lane)->got[i] = low | high << 16;
            }
        }
    }, &mine, line);
}

inline void copy_async(void* to, const void* from, bool exist) {
    if ((uintptr_t) to % 16 != 0 || (uintptr_t) from % 16 != 0) refuse("copies 16 bytes that are not aligned to 16 bytes");
    uint64_t bytes[2] = {};
    for (int i = 0; i < 2 && exist; i++) bytes[i] = static_cast<const uint64_t*>(from)[i];
    copy_later(to, bytes);
}

}  // namespace emulated
