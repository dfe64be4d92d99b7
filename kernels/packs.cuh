// Packs: the elements that a thread reads or writes at once.
//
// A warp that reads an element of 2 bytes a lane asks for 64 bytes at a time, and spends more instructions on asking than on computing. With
// 16 bytes a lane it asks for 512. So kernels that memory limits are written for packs of N elements, and run
//
//     with N = PACK, 16 bytes    where every operand begins at a multiple of 16 bytes, and what is walked through has whole packs
//     with N = 1                 everywhere else: at odd widths, and in views that begin anywhere
//
// The host chooses, by addresses and sizes (Kernels.pack in Java), and a whole launch does the same: on a device, 16 bytes at an address
// that is no multiple of 16 end the program. Results differ by the order of sums alone.
#pragma once
#include "common.cuh"

// Two floats as bf16, rounded to nearest even: `low` in the lower half.
__device__ __forceinline__ unsigned bf16_pair(float low, float high) {
#if defined(OTHERWISE_EMULATION) || __CUDA_ARCH__ < 800
    return (unsigned) to_bf16(low).bits | (unsigned) to_bf16(high).bits << 16;
#else
    unsigned pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#endif
}

__device__ __forceinline__ float low_of(unsigned pair) {
    return __int_as_float((int) (pair << 16));
}

__device__ __forceinline__ float high_of(unsigned pair) {
    return __int_as_float((int) (pair & 0xffff0000u));
}

// Reads 16 bytes, aligned to 16 bytes.
__device__ __forceinline__ uint4 load_16_bytes(const void* from) {
#ifdef OTHERWISE_EMULATION
    emulated::check_aligned(from);
#endif
    return *static_cast<const uint4*>(from);
}

// Writes 16 bytes to device memory, aligned to 16 bytes, by one instruction: a plain store of four floats may come apart in the compiler.
__device__ __forceinline__ void store_16_bytes(void* to, unsigned a, unsigned b, unsigned c, unsigned d) {
#ifdef OTHERWISE_EMULATION
    emulated::check_aligned(to);
    *static_cast<uint4*>(to) = uint4{a, b, c, d};
#else
    asm volatile("st.global.v4.b32 [%0], {%1,%2,%3,%4};" ::"l"(__cvta_generic_to_global(to)), "r"(a), "r"(b), "r"(c), "r"(d) : "memory");
#endif
}

// Elements of 16 bytes.
static const int PACK = 16 / sizeof(real);

// N neighbours, as they are stored; element k as a float.
template <class T, int N>
struct Pack {
    T elements[N];

    __device__ __forceinline__ void read(const T* x) {
#pragma unroll
        for (int k = 0; k < N; k++) elements[k] = x[k];
    }
    __device__ __forceinline__ void fill(T v) {
#pragma unroll
        for (int k = 0; k < N; k++) elements[k] = v;
    }
    __device__ __forceinline__ float operator[](int k) const {
        return to_float(elements[k]);
    }
};

// The same in 16 bytes, or twice 16, which have to be aligned.
template <int BYTES>
struct Words {
    unsigned words[BYTES / 4];

    __device__ __forceinline__ void read(const void* x) {
#pragma unroll
        for (int i = 0; i < BYTES / 16; i++) {
            uint4 v = load_16_bytes(static_cast<const char*>(x) + 16 * i);
            words[4 * i] = v.x;
            words[4 * i + 1] = v.y;
            words[4 * i + 2] = v.z;
            words[4 * i + 3] = v.w;
        }
    }
    __device__ __forceinline__ void fill(unsigned word) {
#pragma unroll
        for (int i = 0; i < BYTES / 4; i++) words[i] = word;
    }
};

template <int N>
struct PackOfFloats : Words<4 * N> {
    __device__ __forceinline__ void fill(float v) {
        Words<4 * N>::fill((unsigned) __float_as_int(v));
    }
    __device__ __forceinline__ float operator[](int k) const {
        return __int_as_float((int) this->words[k]);
    }
};

template <>
struct Pack<float, 4> : PackOfFloats<4> {};

template <>
struct Pack<float, 8> : PackOfFloats<8> {};

template <>
struct Pack<bf16, 8> : Words<16> {
    __device__ __forceinline__ void fill(bf16 v) {
        Words<16>::fill(v.bits | (unsigned) v.bits << 16);
    }
    __device__ __forceinline__ float operator[](int k) const {
        return k % 2 == 0 ? low_of(words[k / 2]) : high_of(words[k / 2]);
    }
};

template <int N, class T>
__device__ __forceinline__ Pack<T, N> load(const T* x) {
    Pack<T, N> pack;
    pack.read(x);
    return pack;
}

template <class T, int N>
__device__ __forceinline__ void write(T* y, const float (&v)[N]) {
#pragma unroll
    for (int k = 0; k < N; k++) put(y + k, v[k]);
}

__device__ __forceinline__ void write_four(float* y, const float* v) {
    store_16_bytes(y, (unsigned) __float_as_int(v[0]), (unsigned) __float_as_int(v[1]), (unsigned) __float_as_int(v[2]),
        (unsigned) __float_as_int(v[3]));
}

__device__ __forceinline__ void write(float* y, const float (&v)[4]) {
    write_four(y, v);
}

__device__ __forceinline__ void write(float* y, const float (&v)[8]) {
    write_four(y, v);
    write_four(y + 4, v + 4);
}

__device__ __forceinline__ void write(bf16* y, const float (&v)[8]) {
    store_16_bytes(y, bf16_pair(v[0], v[1]), bf16_pair(v[2], v[3]), bf16_pair(v[4], v[5]), bf16_pair(v[6], v[7]));
}

// y[k] = value(k), rounded, for N elements
template <int N, class T, class Value>
__device__ __forceinline__ void store(T* y, Value value) {
    float v[N];
#pragma unroll
    for (int k = 0; k < N; k++) v[k] = value(k);
    write(y, v);
}

// A number that the compiler knows.
template <int N>
struct Constant {
    __device__ constexpr operator int() const {
        return N;
    }
};

// body(Constant<n>()), for n of 0 … LAST
template <int LAST, class Body>
__device__ __forceinline__ void with_constant(int n, Body body) {
    if constexpr (LAST == 0) body(Constant<0>());
    else if (n == LAST) body(Constant<LAST>());
    else with_constant<LAST - 1>(n, body);
}

// The body of a kernel, written once, for the size of packs that the host chose: body(Constant<PACK>()) or body(Constant<SINGLE>()).
template <int SINGLE = 1, class Body>
__device__ __forceinline__ void with_packs(int pack, Body body) {
    if (pack == PACK) body(Constant<PACK>());
    else body(Constant<SINGLE>());
}

// Calls visit(e) for the first element e of each pack of this thread, of n elements, grid-stride.
template <int N, class Visit>
__device__ __forceinline__ void each_pack(i64 n, Visit visit) {
    for (i64 e = N * thread_number(); e < n; e += N * thread_count()) visit(e);
}

// The places that a thread walks through: from, from + step, … below to. An operand stands at place i with its elements from i · apart on.
struct Walk {
    i64 from, to, step, apart;
};

// What a thread finds of an operand on its walk. The packs at the first HELD places are read at once and stay in registers: a kernel that
// goes the same way several times reads them from memory once. Those at further places are read again each time.
template <int N, int HELD>
struct Held {
    const real* x;
    Pack<real, N> packs[HELD];

    __device__ __forceinline__ Held(const real* x, const Walk& walk) : x(x) {
#pragma unroll
        for (int k = 0; k < HELD; k++) {
            i64 i = walk.from + k * walk.step;
            if (i < walk.to) packs[k].read(x + i * walk.apart);
        }
    }
};

// Calls visit(i, the pack there of each operand) for every place i, in order.
template <int N, int HELD, class Visit, class... Others>
__device__ __forceinline__ void each(const Walk& walk, Visit visit, const Held<N, HELD>& first, const Others&... others) {
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        i64 i = walk.from + k * walk.step;
        if (i < walk.to) visit(i, first.packs[k], others.packs[k]...);
    }
    for (i64 i = walk.from + HELD * walk.step; i < walk.to; i += walk.step)
        visit(i, load<N>(first.x + i * walk.apart), load<N>(others.x + i * walk.apart)...);
}
