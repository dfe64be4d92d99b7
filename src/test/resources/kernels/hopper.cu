// The instructions of kernels/hopper.cuh one by one, and what no device would let pass.
#include "hopper.cuh"

#define MAP const __grid_constant__ TensorMap

// Dynamic shared memory where swizzles begin.
__device__ unsigned char* aligned(unsigned char* shared) {
    return shared + (0u - address_in_shared(shared)) % 1024u;
}

// A barrier that all threads and the device see.
__device__ void begin(Barrier* b, int arrivals) {
    if (threadIdx.x == 0) {
        barrier_begin(b, arrivals);
        shared_visible();
    }
    __syncthreads();
}

// y [rows, 64] = the box at (x, y, z), as threads read it
KERNEL box(unsigned short* y, MAP map, int rows, int first_x, int first_y, int first_z) {
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* to = aligned(shared);
    Barrier* came = reinterpret_cast<Barrier*>(to + rows * 128);
    begin(came, 1);
    if (threadIdx.x == 0) {
        barrier_arrive_and_expect(came, rows * 128);
        copy_box(to, &map, first_x, first_y, first_z, came);
    }
    barrier_wait(came, 0);
    for (int i = (int) threadIdx.x; i < rows * 64; i += (int) blockDim.x) {
        int row = i / 64, column = i % 64;
        y[i] = reinterpret_cast<unsigned short*>(to)[swizzled<8>(row, column / 8) * 8 + column % 8];
    }
}

// y [rows, 64] = the box of five axes at (x, y, z, u, v)
KERNEL box_of_five(unsigned short* y, MAP map, int rows, int first_x, int first_y, int first_z, int first_u, int first_v) {
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* to = aligned(shared);
    Barrier* came = reinterpret_cast<Barrier*>(to + rows * 128);
    begin(came, 1);
    if (threadIdx.x == 0) {
        barrier_arrive_and_expect(came, rows * 128);
        copy_box(to, &map, first_x, first_y, first_z, first_u, first_v, came);
    }
    barrier_wait(came, 0);
    for (int i = (int) threadIdx.x; i < rows * 64; i += (int) blockDim.x) {
        int row = i / 64, column = i % 64;
        y[i] = reinterpret_cast<unsigned short*>(to)[swizzled<8>(row, column / 8) * 8 + column % 8];
    }
}

// y [8, 8] = the transpose of x [8, 8], pairs of neighbours each
KERNEL transpose(unsigned* y, const unsigned* x) {
    y[threadIdx.x] = transposed(x[threadIdx.x]);
}

// What `product` does wrong
enum { NOTHING, DOES_NOT_WAIT_FOR_BOXES, NO_FENCE, OVERWRITES, READS_TOO_EARLY, NEVER_WAITS, HALF_THE_GROUP, CHANGES_REGISTERS };

// Where register i of sums [64, N] belongs
template <int N>
__device__ int element(int i) {
    int lane = (int) threadIdx.x % 32, row = (int) threadIdx.x / 32 * 16 + lane / 4;
    return (row + i / 2 % 2 * 8) * N + i / 4 * 8 + lane % 4 * 2 + i % 2;
}

// y [64, N] = a [64, 64] · b [64, N] twice over, the second time on top of the first: in two groups, each of four products
template <int N, bool A_LINES, bool B_LINES>
__device__ void product(float* y, const TensorMap* a, const TensorMap* b, int wrong) {
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* a_tile = aligned(shared);
    unsigned char* b_tile = a_tile + 8192;
    Barrier* came = reinterpret_cast<Barrier*>(b_tile + N * 128);
    begin(came, 1);
    if (threadIdx.x == 0) {
        barrier_arrive_and_expect(came, 8192 + N * 128);
        copy_box(a_tile, a, 0, 0, 0, came);
        if (!B_LINES) copy_box(b_tile, b, 0, 0, 0, came);
        else
            for (int i = 0; i < N / 64; i++) copy_box(b_tile + i * 8192, b, i * 64, 0, 0, came);
    }
    if (wrong != DOES_NOT_WAIT_FOR_BOXES) barrier_wait(came, 0);
    if (wrong == HALF_THE_GROUP && threadIdx.x >= 64) return;
    float sums[N / 2];
    for (int twice = 0; twice < 2; twice++) {
        if (wrong != NO_FENCE) wgmma_fence();
        for (int k = 0; k < 4; k++) {
            unsigned long long u = A_LINES ? operand(a_tile + k * 2048, 8192) : operand(a_tile + k * 32, 16);
            unsigned long long v = B_LINES ? operand(b_tile + k * 2048, 8192) : operand(b_tile + k * 32, 16);
            wgmma_bf16<A_LINES, B_LINES>(sums, u, v, twice + k > 0);
        }
        wgmma_commit();
        if (wrong == NEVER_WAITS) return;
        wgmma_wait<1>();
    }
    if (wrong == OVERWRITES) {
        unsigned zeros[4] = {};
        for (int i = (int) threadIdx.x; i < 512; i += 128) reinterpret_cast<uint4*>(a_tile)[i] = *reinterpret_cast<uint4*>(zeros);
        __syncthreads();
    }
    if (wrong != READS_TOO_EARLY) wgmma_finish(sums);
    for (int i = 0; i < N / 2; i++) y[element<N>(i)] = sums[i];
    if (wrong == READS_TOO_EARLY) wgmma_finish(sums);
}

KERNEL product_along_terms(float* y, MAP a, MAP b, int wrong) {
    product<256, false, false>(y, &a, &b, wrong);
}

KERNEL product_a_lines(float* y, MAP a, MAP b, int wrong) {
    product<256, true, false>(y, &a, &b, wrong);
}

KERNEL product_b_lines(float* y, MAP a, MAP b, int wrong) {
    product<256, false, true>(y, &a, &b, wrong);
}

KERNEL product_both_lines(float* y, MAP a, MAP b, int wrong) {
    product<256, true, true>(y, &a, &b, wrong);
}

KERNEL product_of_192(float* y, MAP a, MAP b, int wrong) {
    product<192, false, false>(y, &a, &b, wrong);
}

KERNEL product_of_96(float* y, MAP a, MAP b, int wrong) {
    product<96, false, false>(y, &a, &b, wrong);
}

KERNEL product_of_128(float* y, MAP a, MAP b, int wrong) {
    product<128, false, false>(y, &a, &b, wrong);
}

// The same of a in registers, and b [64, N] with rows along the lines
template <int N>
__device__ void product_of_registers(float* y, const unsigned* a, const TensorMap* b, int wrong) {
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* b_tile = aligned(shared);
    Barrier* came = reinterpret_cast<Barrier*>(b_tile + N / 64 * 8192);
    begin(came, 1);
    if (threadIdx.x == 0) {
        barrier_arrive_and_expect(came, N / 64 * 8192);
        for (int i = 0; i < N / 64; i++) copy_box(b_tile + i * 8192, b, i * 64, 0, 0, came);
    }
    barrier_wait(came, 0);
    float sums[N / 2];
    unsigned pairs[4][4];
    for (int twice = 0; twice < 2; twice++) {
        for (int i = 0; i < 16; i++) {
            int lane = (int) threadIdx.x % 32, row = (int) threadIdx.x / 32 * 16 + lane / 4 + i % 2 * 8;
            pairs[i / 4][i % 4] = a[row * 32 + i / 4 * 8 + i / 2 % 2 * 4 + lane % 4];
        }
        if (wrong != NO_FENCE || twice == 0) wgmma_fence();
        for (int k = 0; k < 4; k++) wgmma_bf16<true>(sums, pairs[k], operand(b_tile + k * 2048, 8192), twice + k > 0);
        wgmma_commit();
        if (wrong == CHANGES_REGISTERS && threadIdx.x == 77) pairs[2][1] = 0;
        wgmma_finish(sums);
    }
    for (int i = 0; i < N / 2; i++) y[element<N>(i)] = sums[i];
}

KERNEL product_of_registers_128(float* y, unsigned* a, MAP b, int wrong) {
    product_of_registers<128>(y, a, &b, wrong);
}

KERNEL product_of_registers_64(float* y, unsigned* a, MAP b, int wrong) {
    product_of_registers<64>(y, a, &b, wrong);
}

// What two groups of products have by and by: y [64, 128] = a [64, 16] · b [16, 128], begun first and waited for alone, or, if it is wrong,
// one of the second group, z = 2 y
KERNEL groups(float* y, float* z, int wrong) {
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* tile = aligned(shared);
    unsigned short* numbers = reinterpret_cast<unsigned short*>(tile);
    for (int i = (int) threadIdx.x; i < 3 * 4096; i += 128) numbers[i] = to_bf16(2.f).bits;
    shared_visible();
    __syncthreads();
    float first[64] = {}, second[64] = {};
    wgmma_fence();
    wgmma_bf16<false, false>(first, operand(tile, 16), operand(tile + 8192, 16), true);
    wgmma_commit();
    for (int i = 0; i < 2; i++) wgmma_bf16<false, false>(second, operand(tile, 16), operand(tile + 8192, 16), true);
    wgmma_commit();
    wgmma_finish<1>(first);
    for (int i = 0; i < 64; i++) y[element<128>(i)] = first[i];
    if (wrong) for (int i = 0; i < 64; i++) z[element<128>(i)] = second[i];
    wgmma_finish(second);
    if (!wrong) for (int i = 0; i < 64; i++) z[element<128>(i)] = second[i];
}

// y [64, 128]: in each of three rounds, the first 16 columns of a box [128, 64] times themselves; the last box is zeros. A thread behind the
// warp group brings the boxes, and must not before the group says so: which is too early, if it is wrong.
KERNEL product_in_rounds(float* y, MAP a, int wrong) {
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* tile = aligned(shared);
    Barrier *full = reinterpret_cast<Barrier*>(tile + 16384), *empty = full + 1;
    begin(full, 1);
    begin(empty, 4);
    if (threadIdx.x >= 128) {
        for (int i = 0; i < 3 && threadIdx.x == 128; i++) {
            barrier_wait(empty, i % 2 ^ 1);
            barrier_arrive_and_expect(full, 16384);
            copy_box(tile, &a, 0, 0, i / 2, full);
        }
        return;
    }
    float sums[64] = {};
    for (int i = 0; i < 3; i++) {
        barrier_wait(full, i % 2);
        wgmma_fence();
        wgmma_bf16<false, false>(sums, operand(tile, 16), operand(tile, 16), true);
        wgmma_commit();
        if (wrong && threadIdx.x % 32 == 0) barrier_arrive(empty);
        wgmma_finish(sums);
        if (!wrong && threadIdx.x % 32 == 0) barrier_arrive(empty);
    }
    for (int i = 0; i < 64; i++) y[element<128>(i)] = sums[i];
}

// y [64, 256]: all are 16 · 2 · 3, of operands that threads have written, and made visible or not; `shift` bytes from where swizzles begin
KERNEL product_of_written(float* y, int visible, int shift) {
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* tile = aligned(shared);
    unsigned short* numbers = reinterpret_cast<unsigned short*>(tile);
    for (int i = (int) threadIdx.x; i < 5 * 4096; i += 128) numbers[i] = to_bf16(i < 4096 ? 2.f : 3.f).bits;
    if (visible) shared_visible();
    __syncthreads();
    float sums[128];
    wgmma_fence();
    wgmma_bf16<false, false>(sums, operand(tile + shift, 16), operand(tile + 8192, 16), false);
    wgmma_commit();
    wgmma_finish(sums);
    for (int i = 0; i < 128; i++) y[threadIdx.x * 128 + i] = sums[i];
}

// y [rounds]: what one warp hands to another through one place, by two barriers
KERNEL hand_over(float* y, int rounds) {
    DYNAMIC_SHARED(Barrier, barriers);
    float* place = reinterpret_cast<float*>(barriers + 2);
    Barrier *full = barriers, *empty = barriers + 1;
    begin(full, 32);
    begin(empty, 1);
    for (int i = 0; i < rounds; i++) {
        if (threadIdx.x < 32) {
            barrier_wait(empty, i % 2 ^ 1);
            if (threadIdx.x == (unsigned) i % 32) *place = (float) (i * i);
            barrier_arrive(full);
        } else {
            barrier_wait(full, i % 2);
            if (threadIdx.x == 32) {
                y[i] = *place;
                barrier_arrive(empty);
            }
        }
    }
}

// What `wrong` does
enum {
    ARRIVES_TOO_OFTEN, WAITS_FOR_NOBODY, NO_BARRIER, WRITES_A_BARRIER, READS_A_BARRIER, MISALIGNED_BOX, NO_MAP, UNSEEN_BARRIER, LEAVES_EARLY,
    FEWER_BYTES, OTHER_COORDINATES
};

KERNEL wrong(unsigned long long* y, MAP map, int what) {
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* to = aligned(shared);
    Barrier* b = reinterpret_cast<Barrier*>(to + 8192);
    if (what != NO_BARRIER && what != UNSEEN_BARRIER) begin(b, 2);
    if (what == ARRIVES_TOO_OFTEN) {
        barrier_arrive_and_expect(b, 16);
        barrier_arrive(b);
    }
    if (what == WAITS_FOR_NOBODY) barrier_wait(b, 0);
    if (what == NO_BARRIER) barrier_arrive(b);
    if (what == WRITES_A_BARRIER) *b = 0;
    if (what == READS_A_BARRIER) y[0] = *b;
    if (what == MISALIGNED_BOX) copy_box(to + 64, &map, 0, 0, 0, b);
    if (what == NO_MAP) {
        TensorMap none = {};
        copy_box(to, &none, 0, 0, 0, b);
    }
    if (what == OTHER_COORDINATES) copy_box(to, &map, 0, 0, 0, 0, 0, b);
    if (what == UNSEEN_BARRIER) {
        barrier_begin(b, 1);
        copy_box(to, &map, 0, 0, 0, b);
    }
    if (what == LEAVES_EARLY) {
        for (int i = 0; i < 8; i++) copy_box(to, &map, 0, 0, 0, b);
    }
    if (what == FEWER_BYTES && threadIdx.x == 0) {
        barrier_arrive(b);
        barrier_arrive_and_expect(b, 8192 + 16);
        copy_box(to, &map, 0, 0, 0, b);
    }
    if (what == FEWER_BYTES) barrier_wait(b, 0);
}

// ---- clusters of two blocks ------------------------------------------------------------------------------------------------------------

// This block's place in its cluster
__device__ int rank() {
    return (int) blockIdx.x % 2;
}

// What is wrong in `boxes_in_pairs`, and the first two in `arrive_across`
enum {
    NO_FENCE_FOR_BARRIERS = 1, NO_FIRST_BARRIER, NO_LAST_BARRIER, ASKS_NOT_THE_OTHER, TO_ITSELF_ALONE, TO_A_THIRD, THE_SAME_HALF, HALF_THE_BYTES
};

// Barriers that all threads, the device and the other block see: `arrivals` at the first, `more` at the next one
__device__ void begin_in_pair(Barrier* b, int arrivals, int more, int wrong) {
    if (threadIdx.x == 0) {
        barrier_begin(b, arrivals);
        barrier_begin(b + 1, more);
        shared_visible();
        if (wrong != NO_FENCE_FOR_BARRIERS) barriers_visible_in_cluster();
    }
    if (wrong == NO_FIRST_BARRIER) __syncthreads();
    else barrier_of_cluster();
}

// y [blocks, 64], z [blocks, 32]: what a block writes to y before a barrier, the other one reads after it; then half of the threads have ended
KERNEL __cluster_dims__(2, 1, 1) meet(int* y, int* z, int wrong) {
    int block = (int) blockIdx.x, thread = (int) threadIdx.x;
    y[block * 64 + thread] = block * 1000 + thread;
    if (wrong && block == 1 && thread == 5) __syncthreads();
    barrier_of_cluster();
    if (thread < 32) z[block * 32 + thread] = y[(block ^ 1) * 64 + thread + 32];
    if (thread >= 32) return;
    barrier_of_cluster();
    z[block * 32 + thread] += thread;
}

// y [blocks]: how often, of so many times, all threads of the other block have arrived here
KERNEL __cluster_dims__(2, 1, 1) arrive_across(int* y, int times, int wrong) {
    DYNAMIC_SHARED(Barrier, barriers);
    begin_in_pair(barriers, 64, 1, wrong);
    int seen = 0;
    for (int i = 0; i < times; i++) {
        barrier_arrive_in(rank() ^ 1, barriers);
        barrier_wait(barriers, i % 2);
        seen++;
        barrier_of_cluster();
    }
    if (threadIdx.x == 0) y[blockIdx.x] = seen;
}

// y [blocks, rows, 64] = the box, where bit `rank` of `to` is set: block `from` of each pair brings it
KERNEL __cluster_dims__(2, 1, 1) box_to(unsigned short* y, MAP map, int rows, int from, int to) {
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* tile = aligned(shared);
    Barrier* came = reinterpret_cast<Barrier*>(tile + rows * 128);
    begin_in_pair(came, 1, 1, 0);
    if (threadIdx.x == 0 && rank() == from) copy_box_to((unsigned) to, tile, &map, 0, 0, 0, came);
    if ((to >> rank() & 1) != 0) {
        if (threadIdx.x == 0) barrier_arrive_and_expect(came, rows * 128);
        barrier_wait(came, 0);
        y += (int) blockIdx.x * rows * 64;
        for (int i = (int) threadIdx.x; i < rows * 64; i += (int) blockDim.x)
            y[i] = reinterpret_cast<unsigned short*>(tile)[swizzled<8>(i / 64, i % 64 / 8) * 8 + i % 8];
    }
    barrier_of_cluster();
}

// y [blocks, rounds, 64, 64]: in each round a matrix, of which each block of a pair brings half, for both, when the other has read the last one
KERNEL __cluster_dims__(2, 1, 1) boxes_in_pairs(unsigned short* y, MAP map, int rounds, int wrong) {
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* tile = aligned(shared);
    Barrier *full = reinterpret_cast<Barrier*>(tile + 8192), *empty = full + 1;
    begin_in_pair(full, 1, wrong == ASKS_NOT_THE_OTHER ? 2 : 4, wrong);
    int half = wrong == THE_SAME_HALF ? 0 : rank();
    unsigned to = wrong == TO_ITSELF_ALONE ? 1u << rank() : wrong == TO_A_THIRD ? 7 : 3;
    int lane = (int) threadIdx.x % 32;
    y += (int) blockIdx.x * rounds * 4096;
    for (int i = 0; i < rounds; i++, y += 4096) {
        if (threadIdx.x == 64) {
            barrier_wait(empty, i % 2 ^ 1);
            barrier_arrive_and_expect(full, wrong == HALF_THE_BYTES ? 4096 : 8192);
            copy_box_to(to, tile + half * 4096, &map, 0, half * 32, i, full);
        }
        if (threadIdx.x >= 64) continue;
        barrier_wait(full, i % 2);
        for (int e = (int) threadIdx.x; e < 4096; e += 64)
            y[e] = reinterpret_cast<unsigned short*>(tile)[swizzled<8>(e / 64, e % 64 / 8) * 8 + e % 8];
        __syncwarp();
        if (wrong == ASKS_NOT_THE_OTHER && lane == 0) barrier_arrive(empty);
        if (wrong != ASKS_NOT_THE_OTHER && lane < 2) barrier_arrive_in(lane, empty);
    }
    if (wrong != NO_LAST_BARRIER) barrier_of_cluster();
}
