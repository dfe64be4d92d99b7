// What only a Hopper GPU is told, an instruction a function (sm_90a). Sections are of the PTX manual, version 9.1.
//
// Three parts of a multiprocessor work side by side, and threads only start them:
//
//   copies     One thread names a box of a tensor in device memory; the box comes to shared memory by itself, zeros where the tensor has
//              nothing. What a tensor is (address, extents, strides, box) stands in a tensor map of 128 bytes that the driver makes.
//   barriers   count in shared memory: a phase is over when so many threads have arrived and so many bytes have come. Then the next one
//              begins, and who waits for a phase names it by its parity: 0, 1, 0, 1 …  (9.7.13.15)
//   products   A warp group, four warps beginning at a multiple of four, multiplies [64, 16] · [16, N] into its registers. The right side
//              comes out of shared memory, the left from there or out of registers. Nothing of it may be touched until the group has
//              waited for it.  (9.7.15)
//
// Several multiprocessors may work together as well: blocks of a cluster, which a kernel gets by __cluster_dims__, run at the same time. They
// can reach each other's shared memory, and a copy can bring a box to several of them that crosses the second-level cache once.
//
// In shared memory a box is rows of 128 bytes. Of eight rows, which are 1024 bytes and begin at a multiple of 1024, row r has its 16 bytes
// number c at place c ^ r. So a tile lies in either of two ways, and 64 numbers of bf16 are such a row:
//
//   rows along the terms    line i, term k < 64: row i. Eight lines later are 1024 bytes later.
//   rows along the lines    line i < 64, term k: row k. Eight terms later are 1024 bytes later; the next 64 lines are another box.
#pragma once

#include "tensor_cores.cuh"

#ifdef OTHERWISE_EMULATION
#include "emulation/hopper.h"
#endif

// A parameter of a kernel: const __grid_constant__ TensorMap.
struct __align__(128) TensorMap {
    unsigned char bytes[128];
};

typedef unsigned long long Barrier;

// The address in shared memory, as instructions and the swizzle mean it.
__device__ __forceinline__ unsigned address_in_shared(const void* p) {
#ifdef OTHERWISE_EMULATION
    return emulated::shared_address(p);
#else
    return shared_address(p);
#endif
}

// ---- barriers -----------------------------------------------------------------------------------------------------------------------

// Makes a barrier of so many arrivals a phase. All threads see it after shared_visible() and __syncthreads().
__device__ __forceinline__ void barrier_begin(Barrier* b, int arrivals) {
#ifdef OTHERWISE_EMULATION
    emulated::barrier_begin(b, arrivals);
#else
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(b)), "r"(arrivals) : "memory");
#endif
}

__device__ __forceinline__ void barrier_arrive(Barrier* b) {
#ifdef OTHERWISE_EMULATION
    emulated::barrier_arrive(b, 0, __LINE__);
#else
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(b)) : "memory");
#endif
}

// Arrives, and has the phase wait for so many bytes of copies.
__device__ __forceinline__ void barrier_arrive_and_expect(Barrier* b, int bytes) {
#ifdef OTHERWISE_EMULATION
    emulated::barrier_arrive(b, bytes, __LINE__);
#else
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(b)), "r"(bytes) : "memory");
#endif
}

// Waits until a phase of this parity is over. Of a fresh barrier, the phase before the first counts as over, and has parity 1.
__device__ __forceinline__ void barrier_wait(Barrier* b, int parity) {
#ifdef OTHERWISE_EMULATION
    emulated::barrier_wait(b, parity, __LINE__);
#else
    unsigned over = 0;
    while (!over) {
        asm volatile(
            "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
            : "=r"(over) : "r"(shared_address(b)), "r"(parity) : "memory");
    }
#endif
}

// What this thread has written to shared memory, barriers included, is seen by copies and products that begin after it, or after a barrier
// behind it.
__device__ __forceinline__ void shared_visible() {
#ifdef OTHERWISE_EMULATION
    emulated::make_visible();
#else
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// ---- clusters -----------------------------------------------------------------------------------------------------------------------

// Barriers that this thread has made are seen by the other blocks of the cluster behind barrier_of_cluster().  (fence.mbarrier_init)
__device__ __forceinline__ void barriers_visible_in_cluster() {
#ifdef OTHERWISE_EMULATION
    emulated::fence_barriers();
#else
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}

// Waits for all threads of the cluster's blocks, but those that have ended.  (9.7.13.4)
__device__ __forceinline__ void barrier_of_cluster() {
#ifdef OTHERWISE_EMULATION
    emulated::barrier_of_cluster(__LINE__);
#else
    asm volatile("barrier.cluster.arrive.release; barrier.cluster.wait.acquire;" ::: "memory");
#endif
}

// Arrives at the barrier that a block of the cluster has where this one has b. The block must not have ended. It learns that products this
// thread has waited for are done; what threads have written it does not see (.release.cluster would have it, by a fence of the whole device).
__device__ __forceinline__ void barrier_arrive_in(int block, Barrier* b) {
#ifdef OTHERWISE_EMULATION
    emulated::barrier_arrive_in(block, b, __LINE__);
#else
    asm volatile(
        "{ .reg .b32 there; mapa.shared::cluster.u32 there, %0, %1; mbarrier.arrive.shared::cluster.b64 _, [there]; }"
        ::"r"(shared_address(b)), "r"(block) : "memory");
#endif
}

// ---- copies -------------------------------------------------------------------------------------------------------------------------

// Begins to copy the box whose first element is (x, y, z), x along the dense extent; its bytes arrive at the barrier. `to` is aligned to 128
// bytes, and the swizzle goes by addresses.  (cp.async.bulk.tensor)
__device__ __forceinline__ void copy_box(void* to, const TensorMap* map, int x, int y, int z, Barrier* done) {
#ifdef OTHERWISE_EMULATION
    int first[3] = {x, y, z};
    emulated::copy_box(to, map, first, done);
#else
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];"
        ::"r"(shared_address(to)), "l"(map), "r"(x), "r"(y), "r"(z), "r"(shared_address(done)) : "memory");
#endif
}

// The same of five coordinates. A box is its rows of 128 bytes, y the fastest of their coordinates.
__device__ __forceinline__ void copy_box(void* to, const TensorMap* map, int x, int y, int z, int u, int v, Barrier* done) {
#ifdef OTHERWISE_EMULATION
    int first[5] = {x, y, z, u, v};
    emulated::copy_box(to, map, first, done);
#else
    asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4, %5, %6}], [%7];"
        ::"r"(shared_address(to)), "l"(map), "r"(x), "r"(y), "r"(z), "r"(u), "r"(v), "r"(shared_address(done)) : "memory");
#endif
}

// A box of three coordinates to the blocks of the cluster whose bits are set: to each where this one has `to`, and its bytes arrive where
// this one has `done`.
__device__ __forceinline__ void copy_box_to(unsigned blocks, void* to, const TensorMap* map, int x, int y, int z, Barrier* done) {
#ifdef OTHERWISE_EMULATION
    int first[3] = {x, y, z};
    emulated::copy_box(to, map, first, done, blocks);
#else
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster "
        "[%0], [%1, {%2, %3, %4}], [%5], %6;"
        ::"r"(shared_address(to)), "l"(map), "r"(x), "r"(y), "r"(z), "r"(shared_address(done)), "h"((unsigned short) blocks) : "memory");
#endif
}

// ---- products -----------------------------------------------------------------------------------------------------------------------

// Tells an operand that begins at `first`, with the swizzle above (9.7.15.5.1.2.2):
//
//   bits  0–13  its address       rows along the terms: those of the tile's rows, and 32 bytes more for every 16 terms
//   bits 16–29  leading offset    rows along the lines: from 64 lines to the next 64; else not used, 16 bytes
//   bits 32–45  stride offset     from eight rows to the next eight: 1024 bytes
//   bits 62–63  swizzle           1: of 128 bytes
//
// all in units of 16 bytes. Bits 49–51 are 0, since swizzles begin at multiples of 1024.
__device__ __forceinline__ unsigned long long operand(const void* first, int leading_offset) {
    unsigned long long address = address_in_shared(first) >> 4, leading = (unsigned) leading_offset >> 4, stride = 1024 >> 4;
    return address | leading << 16 | stride << 32 | 1ull << 62;
}

// Before the first product, and after registers of the sums were touched.
__device__ __forceinline__ void wgmma_fence() {
#ifdef OTHERWISE_EMULATION
    emulated::wgmma_fence(__LINE__);
#else
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

// Closes a group: the products begun since the last one.
__device__ __forceinline__ void wgmma_commit() {
#ifdef OTHERWISE_EMULATION
    emulated::wgmma_commit(__LINE__);
#else
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

// Waits until no more than PENDING groups are under way.
template <int PENDING>
__device__ __forceinline__ void wgmma_wait() {
#ifdef OTHERWISE_EMULATION
    emulated::wgmma_wait(PENDING, __LINE__);
#else
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory");
#endif
}

// At the end of a turn of a loop whose last products may go on into the next one. ptxas of CUDA 12.3 does not see that no other instruction
// touches their sums, and would have every product in the loop waited for; so there this waits once. What later ones do before 13.0 we do
// not know.
__device__ __forceinline__ void wgmma_into_next_turn() {
#if defined(__CUDACC_VER_MAJOR__) && __CUDACC_VER_MAJOR__ < 13
    wgmma_wait<0>();
#endif
}

// Waits as above, for sums `d` of a product that is done then. The compiler may not move what reads them before this.
template <int PENDING = 0, int COUNT>
__device__ __forceinline__ void wgmma_finish(float (&d)[COUNT]) {
    wgmma_wait<PENDING>();
#ifndef OTHERWISE_EMULATION
#pragma unroll
    for (int i = 0; i < COUNT; i++) asm volatile("" : "+f"(d[i])::"memory");
#endif
}

// wgmma_bf16 begins D [64, N] (+)= A [64, 16] · B [16, N] for N = 2 · (elements of d). Lane l of warp w has of D
//
//     d[4j + 2h + i] = D[16 w + l / 4 + 8 h][8 j + 2 (l % 4) + i]        j < N / 8, h < 2, i < 2
//
// B is an operand as above, `lines`: rows along the lines. A is another, or lies in registers, pairs of neighbours as in mma_bf16: what a
// warp has of its 16 rows is a fragment of theirs. So there too the rounded sums of one product are the left side of another, and like
// sums, what a product reads out of registers stays as it is until the product is done.
#ifndef OTHERWISE_EMULATION
#define FOUR(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define SIXTEEN(i) FOUR(i), FOUR(i + 4), FOUR(i + 8), FOUR(i + 12)
#define FIRST_32 \
    "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
    "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define FIRST_48 FIRST_32 \
    ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47"
#define FIRST_64 FIRST_48 \
    ",%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define FIRST_96 FIRST_64 \
    ",%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79" \
    ",%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95"
#define FIRST_128 FIRST_96 \
    ",%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111" \
    ",%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define PREDICATE(accumulate) "{ .reg .pred p; setp.ne.b32 p, " accumulate ", 0; "
#define WGMMA(n, sums) "wgmma.mma_async.sync.aligned.m64n" n "k16.f32.bf16.bf16 {" sums "}, "
#endif

template <bool A_LINES, bool B_LINES>
__device__ __forceinline__ void wgmma_bf16(float (&d)[128], unsigned long long a, unsigned long long b, bool accumulate) {
#ifdef OTHERWISE_EMULATION
    emulated::wgmma_bf16<256>(d, a, b, accumulate, A_LINES, B_LINES, __LINE__);
#else
    asm volatile(PREDICATE("%130") WGMMA("256", FIRST_128) "%128, %129, p, 1, 1, %131, %132; }"
        : SIXTEEN(0), SIXTEEN(16), SIXTEEN(32), SIXTEEN(48), SIXTEEN(64), SIXTEEN(80), SIXTEEN(96), SIXTEEN(112)
        : "l"(a), "l"(b), "r"((int) accumulate), "n"(A_LINES), "n"(B_LINES));
#endif
}

template <bool A_LINES, bool B_LINES>
__device__ __forceinline__ void wgmma_bf16(float (&d)[96], unsigned long long a, unsigned long long b, bool accumulate) {
#ifdef OTHERWISE_EMULATION
    emulated::wgmma_bf16<192>(d, a, b, accumulate, A_LINES, B_LINES, __LINE__);
#else
    asm volatile(PREDICATE("%98") WGMMA("192", FIRST_96) "%96, %97, p, 1, 1, %99, %100; }"
        : SIXTEEN(0), SIXTEEN(16), SIXTEEN(32), SIXTEEN(48), SIXTEEN(64), SIXTEEN(80)
        : "l"(a), "l"(b), "r"((int) accumulate), "n"(A_LINES), "n"(B_LINES));
#endif
}

template <bool A_LINES, bool B_LINES>
__device__ __forceinline__ void wgmma_bf16(float (&d)[64], unsigned long long a, unsigned long long b, bool accumulate) {
#ifdef OTHERWISE_EMULATION
    emulated::wgmma_bf16<128>(d, a, b, accumulate, A_LINES, B_LINES, __LINE__);
#else
    asm volatile(PREDICATE("%66") WGMMA("128", FIRST_64) "%64, %65, p, 1, 1, %67, %68; }"
        : SIXTEEN(0), SIXTEEN(16), SIXTEEN(32), SIXTEEN(48)
        : "l"(a), "l"(b), "r"((int) accumulate), "n"(A_LINES), "n"(B_LINES));
#endif
}

template <bool A_LINES, bool B_LINES>
__device__ __forceinline__ void wgmma_bf16(float (&d)[48], unsigned long long a, unsigned long long b, bool accumulate) {
#ifdef OTHERWISE_EMULATION
    emulated::wgmma_bf16<96>(d, a, b, accumulate, A_LINES, B_LINES, __LINE__);
#else
    asm volatile(PREDICATE("%50") WGMMA("96", FIRST_48) "%48, %49, p, 1, 1, %51, %52; }"
        : SIXTEEN(0), SIXTEEN(16), SIXTEEN(32)
        : "l"(a), "l"(b), "r"((int) accumulate), "n"(A_LINES), "n"(B_LINES));
#endif
}

template <bool A_LINES, bool B_LINES>
__device__ __forceinline__ void wgmma_bf16(float (&d)[32], unsigned long long a, unsigned long long b, bool accumulate) {
#ifdef OTHERWISE_EMULATION
    emulated::wgmma_bf16<64>(d, a, b, accumulate, A_LINES, B_LINES, __LINE__);
#else
    asm volatile(PREDICATE("%34") WGMMA("64", FIRST_32) "%32, %33, p, 1, 1, %35, %36; }"
        : SIXTEEN(0), SIXTEEN(16)
        : "l"(a), "l"(b), "r"((int) accumulate), "n"(A_LINES), "n"(B_LINES));
#endif
}

template <bool B_LINES>
__device__ __forceinline__ void wgmma_bf16(float (&d)[64], const unsigned (&a)[4], unsigned long long b, bool accumulate) {
#ifdef OTHERWISE_EMULATION
    emulated::wgmma_bf16<128>(d, a, b, accumulate, B_LINES, __LINE__);
#else
    asm volatile(PREDICATE("%69") WGMMA("128", FIRST_64) "{%64,%65,%66,%67}, %68, p, 1, 1, %70; }"
        : SIXTEEN(0), SIXTEEN(16), SIXTEEN(32), SIXTEEN(48)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"((int) accumulate), "n"(B_LINES));
#endif
}

template <bool B_LINES>
__device__ __forceinline__ void wgmma_bf16(float (&d)[32], const unsigned (&a)[4], unsigned long long b, bool accumulate) {
#ifdef OTHERWISE_EMULATION
    emulated::wgmma_bf16<64>(d, a, b, accumulate, B_LINES, __LINE__);
#else
    asm volatile(PREDICATE("%37") WGMMA("64", FIRST_32) "{%32,%33,%34,%35}, %36, p, 1, 1, %38; }"
        : SIXTEEN(0), SIXTEEN(16)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"((int) accumulate), "n"(B_LINES));
#endif
}

#ifndef OTHERWISE_EMULATION
#undef FOUR
#undef SIXTEEN
#undef FIRST_32
#undef FIRST_48
#undef FIRST_64
#undef FIRST_96
#undef FIRST_128
#undef PREDICATE
#undef WGMMA
#endif

// Of every sixteen columns of sums a lane has two neighbours in the first eight, and two in the others. Lanes 2i and 2i + 1 exchange some,
// so that each has four neighbours, from column lane % 2 * 8 + lane % 4 / 2 * 4 on, and a warp reads or writes 32 bytes of each of eight rows
// at once. Back it goes in the same way.
__device__ __forceinline__ uint2 exchanged(uint2 pairs) {
    bool odd = threadIdx.x % 2 != 0;
    unsigned got = __shfl_xor_sync(ALL_LANES, odd ? pairs.x : pairs.y, 1);
    (odd ? pairs.x : pairs.y) = got;
    return pairs;
}

// ---- roles --------------------------------------------------------------------------------------------------------------------------

// Who fills or empties stages goes from one to the next, round and round: the stage, and the parity of the round.
template <int STAGES>
struct Turn {
    int stage = 0, parity = 0;

    __device__ __forceinline__ void next() {
        stage = stage + 1 == STAGES ? 0 : stage + 1;
        parity ^= stage == 0;
    }
};

// A warp group gives registers back, or takes more: COUNT a thread from here on, a multiple of 8. Needs __launch_bounds__(threads, 1), and
// that all warp groups together have no more than 65536.  (9.7.19.5)
template <int COUNT>
__device__ __forceinline__ void registers_give() {
#ifndef OTHERWISE_EMULATION
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(COUNT));
#endif
}

template <int COUNT>
__device__ __forceinline__ void registers_take() {
#ifndef OTHERWISE_EMULATION
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(COUNT));
#endif
}
