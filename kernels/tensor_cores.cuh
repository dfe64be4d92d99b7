// What tensor cores are told, an instruction a function (sm_80 and newer), and the copies that feed them.
//
// A warp multiplies matrices together: every lane holds a few elements of each (a fragment). Lane l has group g = l / 4 and place t = l % 4.
//
//   mma_bf16   D [16, 8] += A [16, 16] · B [16, 8], bf16 pairs in a register, the lower index in the lower half
//       a[0] = A[g][2t, 2t+1]   a[1] = A[g+8][2t, 2t+1]   a[2] = A[g][2t+8, 2t+9]   a[3] = A[g+8][2t+8, 2t+9]
//       b[0] = B[2t, 2t+1][g]   b[1] = B[2t+8, 2t+9][g]
//   mma_tf32   D [16, 8] += A [16, 8] · B [8, 8], floats of which the tensor cores see the upper 19 bits
//       a[0] = A[g][t]   a[1] = A[g+8][t]   a[2] = A[g][t+4]   a[3] = A[g+8][t+4]
//       b[0] = B[t][g]   b[1] = B[t+4][g]
//   both
//       d[0], d[1] = D[g][2t, 2t+1]   d[2], d[3] = D[g+8][2t, 2t+1]
//
// So the sums of one product of bf16, rounded to pairs, are the operand A of another: pairs of neighbours of d are halves of a.
//
// load_matrices reads four 8 × 8 matrices of 16-bit elements from shared memory: lane 8·i + j names row j of matrix i, 16 bytes that are
// aligned to 16. Then r[i] = matrix i [g][2t, 2t+1]: four quarters of A. load_matrices_transposed gives matrix i [2t, 2t+1][g]: B, of rows
// that lie along N. To a lane that reads fp32, a row is four elements, and r[i] = element t of row g.
//
// Eight rows are read at once, and must lie in different banks: either rows are padded to an odd number of 16 bytes, or the 16 bytes of a
// row change places from row to row: `swizzled`.
#pragma once

#include "packs.cuh"

// Where the 16 bytes number `chunk` of row `row` lie, in units of 16 bytes, if rows have CHUNKS of them (4, or a multiple of 8): eight
// rows at the same chunk are in eight different places modulo 128 bytes.
template <int CHUNKS>
__device__ __forceinline__ int swizzled(int row, int chunk) {
    return CHUNKS == 4 ? row * 4 + (chunk ^ (row >> 1 & 3)) : row * CHUNKS + (chunk ^ (row & 7));
}

// The bits of a float, rounded to what tensor cores see of it.
__device__ __forceinline__ unsigned tf32(float x) {
#ifdef OTHERWISE_EMULATION
    return emulated::tf32(x);
#else
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
#endif
}

__device__ __forceinline__ void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#ifdef OTHERWISE_EMULATION
    emulated::mma_bf16(d, a, b, __LINE__);
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

__device__ __forceinline__ void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#ifdef OTHERWISE_EMULATION
    emulated::mma_tf32(d, a, b, __LINE__);
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

#ifndef OTHERWISE_EMULATION
__device__ __forceinline__ unsigned shared_address(const void* p) {
    return (unsigned) __cvta_generic_to_shared(p);
}
#endif

__device__ __forceinline__ void load_matrices(unsigned (&r)[4], const void* row) {
#ifdef OTHERWISE_EMULATION
    emulated::load_matrices(r, row, false, __LINE__);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
#endif
}

__device__ __forceinline__ void load_matrices_transposed(unsigned (&r)[4], const void* row) {
#ifdef OTHERWISE_EMULATION
    emulated::load_matrices(r, row, true, __LINE__);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
#endif
}

// Turns an 8 × 8 matrix of 16-bit elements, of which lane l has [g][2t, 2t+1], into its transpose, of which it has the same.
__device__ __forceinline__ unsigned transposed(unsigned pair) {
#ifdef OTHERWISE_EMULATION
    int g = (int) threadIdx.x % 32 / 4, first = (int) threadIdx.x % 4 * 8 + g / 2;  // the lane that has [2t][g]
    unsigned low = __shfl_sync(ALL_LANES, pair, first), high = __shfl_sync(ALL_LANES, pair, first + 4);
    return g % 2 == 0 ? (low & 0xffffu) | high << 16 : low >> 16 | (high & 0xffff0000u);
#else
    unsigned turned;
    asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(turned) : "r"(pair));
    return turned;
#endif
}

// Copies 16 bytes to shared memory while the thread goes on, or zeros if they do not `exist`; then `from` is not read, but must still be
// an address of device memory. Both are aligned to 16 bytes.
__device__ __forceinline__ void copy_async(void* to, const void* from, bool exist) {
#ifdef OTHERWISE_EMULATION
    emulated::copy_async(to, from, exist);
#else
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(exist ? 16 : 0) : "memory");
#endif
}

// Closes a group: this thread's copies since the last one.
__device__ __forceinline__ void copies_end() {
#ifdef OTHERWISE_EMULATION
    emulated::copies_end();
#else
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until no more than PENDING groups of this thread are under way. What other threads copied is there after a barrier.
template <int PENDING>
__device__ __forceinline__ void copies_wait() {
#ifdef OTHERWISE_EMULATION
    emulated::copies_wait(PENDING);
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#endif
}
