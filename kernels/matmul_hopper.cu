// Matrix products of bf16 on a Hopper GPU: y = x + gate · f(op(a) · op(b) + bias), as matmul.cu has it.
//
// A block makes tiles of 128 × 256 elements of y, and goes along K in steps of 64 terms. Its three warp groups have two roles. One thread of
// the third fetches: for each step it asks the copy engine for a box of a and a box of b, into one of four stages of shared memory. The
// first two multiply: each has 64 × 256 of the sums in its registers, 128 a thread, and begins four products of 64 × 256 × 16 a step.
//
//   full[s]    the stage's boxes have come: one arrival, with 49152 bytes
//   empty[s]   the stage may be overwritten: an arrival of each of the eight warps that multiply
//
// Nobody waits for the whole block after the first moment, so while one step is multiplied up to three are on their way, and while a tile is
// stored the next one's steps are already there. Blocks take every gridDim.x-th tile. Tiles are numbered in bands of 16 rows of tiles, down
// the columns of a band: those of one moment share much of a and b in the second-level cache. A tile's sums have one order of additions, so
// equal calls give equal bits, whatever the number of blocks.
//
// Kernels of pairs have two blocks in a cluster, with tiles one below the other. These need the same box of b, so each block fetches half of
// it, for both. Then empty[s] takes an arrival of both blocks' warps, since a block writes to the other's stage as well; and in full[s] half
// of b's bytes are brought by the other, maybe before the block itself expects any. With an odd number of rows of tiles the last one's
// neighbour lies beyond the matrix: it multiplies zeros, and stores nothing. Sums are the same bits as without clusters.
//
// What lies beyond an edge the copy engine fills with zeros. Rows of a, b and y are multiples of 16 bytes. Rows of a or b may lie along the
// terms or along the lines (the rows of op(a), the columns of op(b)): a kernel for each case, since products are told in the instruction.
//
// Ideal traffic: a and b once, y once (and x once, where it is added to). Example 9216 × 5120 × 5120: 483 GFLOP, 0.49 ms at an H100's 989
// TFLOP/s; 242 MB, 0.07 ms at its 3.35 TB/s. The tensor cores are the limit only if stages come fast enough. From the second-level cache
//
//   1440 tiles bring 48 KiB a step, 5.7 GB:     11.6 TB/s, to come in 0.49 ms
//   720 pairs of tiles 64 KiB a step, 3.8 GB:    7.7 TB/s
//
// If it gives no more than 7 TB/s, pairs take 0.54 ms, 900 TFLOP/s; blocks by themselves 0.81 ms, 600. All of these are estimates: nothing
// was measured.
//
// Launch: as many blocks as multiprocessors, or tiles, of 384 threads, SHARED bytes; of pairs an even number. The two of a cluster need two
// free multiprocessors of one group (GPC); an H100's 132 are in groups of 16 or 18, so there is room for 66 pairs. Where there is less, some
// pairs run after others. Java: backend/cuda/HopperMatmul.java.
#include "epilogue.cuh"
#include "hopper.cuh"

static_assert(sizeof(real) == 2, "products of bf16");

static const int ROWS = 128, COLUMNS = 256, TERMS = 64;  // of a tile, and of a step
static const int STAGES = 4;
static const int A_BYTES = ROWS * TERMS * 2, B_BYTES = COLUMNS * TERMS * 2;
static const int BOX = 64 * 128;  // bytes of 64 rows of 128 bytes
static const int BAND = 16;  // an even number
static const int THREADS = 384;
static const int FETCHER = 256;  // the thread
static const int TOGETHER = 4;             // with more, registers spill
static const unsigned ONES = 0x3f803f80u;  // a pair of bf16

struct Sizes {
    i64 batch, m, n, k;
    i64 a_batch, b_batch;  // 0 if all products share the matrix, else 1
};

// Where this block's tile begins, of the number'th of a cluster of BLOCKS.
template <int BLOCKS>
struct Tile {
    static const int HEIGHT = ROWS * BLOCKS, HIGH = BAND / BLOCKS;
    i64 batch, row, column;

    __device__ Tile(i64 number, const Sizes& p) {
        i64 row_tiles = (p.m + HEIGHT - 1) / HEIGHT, column_tiles = (p.n + COLUMNS - 1) / COLUMNS;
        batch = number / (row_tiles * column_tiles);
        i64 rest = number % (row_tiles * column_tiles);
        i64 band = rest / (HIGH * column_tiles) * HIGH;
        i64 rows = min((i64) HIGH, row_tiles - band);
        rest -= band * column_tiles;
        row = (band + rest % rows) * HEIGHT + blockIdx.x % BLOCKS * ROWS;
        column = rest / rows * COLUMNS;
    }

    __device__ static i64 count(const Sizes& p) {
        return p.batch * ((p.m + HEIGHT - 1) / HEIGHT) * ((p.n + COLUMNS - 1) / COLUMNS);
    }
};

// A stripe of LINES lines and 64 terms, for all of so many blocks. With rows along the lines it takes a box for every 64 of them.
template <bool ALONG_LINES, int LINES, int BLOCKS>
__device__ __forceinline__ void fetch(unsigned char* to, const TensorMap* map, i64 line, i64 term, i64 batch, Barrier* full) {
    for (int i = 0; i < (ALONG_LINES ? LINES : 1); i += 64) {
        int x = (int) (ALONG_LINES ? line + i : term), y = (int) (ALONG_LINES ? term : line);
        if (BLOCKS == 1) copy_box(to + i * 128, map, x, y, (int) batch, full);
        else copy_box_to((1u << BLOCKS) - 1, to + i * 128, map, x, y, (int) batch, full);
    }
}

// Neighbours of a row of n, from column c on, as words; `instead` where it ends, or if there is no row.
template <class T>
__device__ __forceinline__ T neighbours(const real* row, i64 c, i64 n, T instead) {
    return row != nullptr && c < n ? *reinterpret_cast<const T*>(row + c) : instead;
}

// Of two sums: v, and what becomes of it (epilogue.cuh). Of the functions behind sums only Wan's is here: each is written out 128 times.
__device__ __forceinline__ void finish_two(
    const float* sums, unsigned bias, unsigned gate, unsigned x, i64 f, unsigned& v, unsigned& result) {
    float low = sums[0] + low_of(bias), high = sums[1] + high_of(bias);
    v = bf16_pair(low, high);
    if (f == GELU_TANH_OF_SUM) low = gelu_tanh(low), high = gelu_tanh(high);
    result = bf16_pair(fmaf(low_of(gate), low, low_of(x)), fmaf(high_of(gate), high, high_of(x)));
}

// The sums of a warp group's 64 rows, from `row` on. What the epilogue reads is asked for TOGETHER times sixteen columns ahead: y may be x, so
// the compiler lets no read go before a write.
__device__ __forceinline__ void store(
    const float (&sums)[128], real* y, const Epilogue& epilogue, i64 batch, i64 row, i64 column, const Sizes& p) {
    int lane = (int) threadIdx.x % 32;
    row += (int) threadIdx.x / 32 % 4 * 16 + lane / 4;
    int two = lane % 4 * 2, four = lane % 2 * 8 + lane % 4 / 2 * 4;  // where this lane's neighbours are, before and after an exchange
    bool exists[2];
    i64 line[2];
    const real *added[2], *gates[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        i64 of_all = batch * p.m + row + 8 * h;
        exists[h] = row + 8 * h < p.m;
        line[h] = of_all * p.n;
        added[h] = exists[h] && epilogue.x != nullptr ? epilogue.x + line[h] : nullptr;
        gates[h] = exists[h] ? gate_of(of_all, p.n, epilogue) : nullptr;
    }
    const uint2 nothing = {};
#pragma unroll
    for (int first = 0; first < 16; first += TOGETHER) {
        unsigned bias[TOGETHER][2], gate[TOGETHER][2][2];
        uint2 x[TOGETHER][2];
#pragma unroll
        for (int j = 0; j < TOGETHER; j++) {
            i64 c = column + (first + j) * 16;
#pragma unroll
            for (int h = 0; h < 2; h++) {
                x[j][h] = neighbours(added[h], c + four, p.n, nothing);
#pragma unroll
                for (int i = 0; i < 2; i++) gate[j][h][i] = neighbours(gates[h], c + i * 8 + two, p.n, ONES);
            }
#pragma unroll
            for (int i = 0; i < 2; i++) bias[j][i] = neighbours(epilogue.bias, c + i * 8 + two, p.n, 0u);
        }
#pragma unroll
        for (int j = 0; j < TOGETHER; j++) {
            i64 c = column + (first + j) * 16 + four;
#pragma unroll
            for (int h = 0; h < 2; h++) {
                const float* own = sums + (first + j) * 8 + h * 2;
                uint2 old = exchanged(x[j][h]), v, result;
                finish_two(own, bias[j][0], gate[j][h][0], old.x, epilogue.f, v.x, result.x);
                finish_two(own + 4, bias[j][1], gate[j][h][1], old.y, epilogue.f, v.y, result.y);
                v = exchanged(v), result = exchanged(result);
                if (!exists[h] || c >= p.n) continue;
                if (epilogue.sums != nullptr) *reinterpret_cast<uint2*>(epilogue.sums + line[h] + c) = v;
                *reinterpret_cast<uint2*>(y + line[h] + c) = result;
            }
        }
    }
}

template <bool A_LINES, bool B_LINES, int BLOCKS>
__device__ __forceinline__ void multiply(
    const TensorMap* a, const TensorMap* b, real* y, const Epilogue& epilogue, const Sizes& p) {
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* a_stages = shared + (0u - address_in_shared(shared)) % 1024u;
    unsigned char* b_stages = a_stages + STAGES * A_BYTES;
    Barrier* full = reinterpret_cast<Barrier*>(b_stages + STAGES * B_BYTES);
    Barrier* empty = full + STAGES;
    if (threadIdx.x == 0) {
        for (int s = 0; s < STAGES; s++) {
            barrier_begin(full + s, 1);
            barrier_begin(empty + s, 8 * BLOCKS);
        }
        shared_visible();
        if (BLOCKS > 1) barriers_visible_in_cluster();
    }
    if (BLOCKS > 1) barrier_of_cluster();
    else __syncthreads();
    i64 all = Tile<BLOCKS>::count(p), steps = (p.k + TERMS - 1) / TERMS;
    Turn<STAGES> turn;

    if (threadIdx.x >= FETCHER) {
        registers_give<24>();
        if (threadIdx.x != FETCHER) return;
        const int SHARE = COLUMNS / BLOCKS;  // of b's lines
        int share = (int) (blockIdx.x % BLOCKS) * SHARE;
        for (i64 number = blockIdx.x / BLOCKS; number < all; number += gridDim.x / BLOCKS) {
            Tile<BLOCKS> tile(number, p);
            for (i64 step = 0; step < steps; step++, turn.next()) {
                Barrier* f = full + turn.stage;
                unsigned char* b_share = b_stages + turn.stage * B_BYTES + share * 128;
                barrier_wait(empty + turn.stage, turn.parity ^ 1);
                barrier_arrive_and_expect(f, A_BYTES + B_BYTES);
                fetch<A_LINES, ROWS, 1>(a_stages + turn.stage * A_BYTES, a, tile.row, step * TERMS, tile.batch * p.a_batch, f);
                fetch<B_LINES, SHARE, BLOCKS>(b_share, b, tile.column + share, step * TERMS, tile.batch * p.b_batch, f);
            }
        }
    } else {
        registers_take<240>();
        int group = __shfl_sync(ALL_LANES, (int) threadIdx.x / 128, 0);  // so that the compiler knows: it is the same in all lanes
        int lane = (int) threadIdx.x % 32;
        // Lane i tells block i that this warp has read a stage.
        auto has_read = [lane](Barrier* stage) {
            if (lane >= BLOCKS) return;
            if (BLOCKS > 1) barrier_arrive_in(lane, stage);
            else barrier_arrive(stage);
        };
        float sums[128];
        for (i64 number = blockIdx.x / BLOCKS; number < all; number += gridDim.x / BLOCKS) {
            // Not by the first product: ptxas of CUDA 12.3 would then have each product waited for.
#pragma unroll
            for (int i = 0; i < 128; i++) sums[i] = 0.f;
            Barrier* last = nullptr;  // of the stage whose products may still be under way
            for (i64 step = 0; step < steps; step++, turn.next()) {
                barrier_wait(full + turn.stage, turn.parity);
                const unsigned char* a_stage = a_stages + turn.stage * A_BYTES + group * BOX;
                const unsigned char* b_stage = b_stages + turn.stage * B_BYTES;
                wgmma_fence();
#pragma unroll
                for (int k = 0; k < 4; k++) {
                    unsigned long long u = A_LINES ? operand(a_stage + k * 2048, BOX) : operand(a_stage + k * 32, 16);
                    unsigned long long v = B_LINES ? operand(b_stage + k * 2048, BOX) : operand(b_stage + k * 32, 16);
                    wgmma_bf16<A_LINES, B_LINES>(sums, u, v, true);
                }
                wgmma_commit();
                wgmma_wait<1>();
                if (last != nullptr) has_read(last);
                last = empty + turn.stage;
            }
            wgmma_finish(sums);
            has_read(last);
            Tile<BLOCKS> tile(number, p);
            store(sums, y, epilogue, tile.batch, tile.row + group * 64, tile.column, p);
        }
        if (BLOCKS > 1) barrier_of_cluster();  // while the other block may arrive here, this one must not end
    }
}

#define MAP const __grid_constant__ TensorMap
#define PARAMETERS MAP a, MAP b, real* y, Epilogue epilogue, Sizes p

// One block a multiprocessor: its registers are shared out between the roles.
extern "C" __global__ void __launch_bounds__(THREADS, 1) matmul_hopper(PARAMETERS);
extern "C" __global__ void __launch_bounds__(THREADS, 1) matmul_hopper_a_lines(PARAMETERS);
extern "C" __global__ void __launch_bounds__(THREADS, 1) matmul_hopper_b_lines(PARAMETERS);
extern "C" __global__ void __launch_bounds__(THREADS, 1) matmul_hopper_both_lines(PARAMETERS);
extern "C" __global__ void __launch_bounds__(THREADS, 1) matmul_hopper_pairs(PARAMETERS);
extern "C" __global__ void __launch_bounds__(THREADS, 1) matmul_hopper_pairs_a_lines(PARAMETERS);
extern "C" __global__ void __launch_bounds__(THREADS, 1) matmul_hopper_pairs_b_lines(PARAMETERS);
extern "C" __global__ void __launch_bounds__(THREADS, 1) matmul_hopper_pairs_both_lines(PARAMETERS);

// Rows of a and b along the terms: a [M, K], b [N, K]
KERNEL matmul_hopper(PARAMETERS) {
    multiply<false, false, 1>(&a, &b, y, epilogue, p);
}

// a [K, M], b [N, K]
KERNEL matmul_hopper_a_lines(PARAMETERS) {
    multiply<true, false, 1>(&a, &b, y, epilogue, p);
}

// a [M, K], b [K, N]
KERNEL matmul_hopper_b_lines(PARAMETERS) {
    multiply<false, true, 1>(&a, &b, y, epilogue, p);
}

// a [K, M], b [K, N]
KERNEL matmul_hopper_both_lines(PARAMETERS) {
    multiply<true, true, 1>(&a, &b, y, epilogue, p);
}

// The same in pairs of blocks
KERNEL __cluster_dims__(2, 1, 1) matmul_hopper_pairs(PARAMETERS) {
    multiply<false, false, 2>(&a, &b, y, epilogue, p);
}

KERNEL __cluster_dims__(2, 1, 1) matmul_hopper_pairs_a_lines(PARAMETERS) {
    multiply<true, false, 2>(&a, &b, y, epilogue, p);
}

KERNEL __cluster_dims__(2, 1, 1) matmul_hopper_pairs_b_lines(PARAMETERS) {
    multiply<false, true, 2>(&a, &b, y, epilogue, p);
}

KERNEL __cluster_dims__(2, 1, 1) matmul_hopper_pairs_both_lines(PARAMETERS) {
    multiply<true, true, 2>(&a, &b, y, epilogue, p);
}
