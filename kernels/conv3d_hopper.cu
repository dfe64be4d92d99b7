// 3-D convolution and its gradient to the input on a Hopper GPU, of strides 1: the products of conv3d_tensor.cu, out of what is packed there.
//
//     y[b, o, p] = bias[o] + Σ over taps d and channels i of weight[o, d, i] · x[b, p + first + turn · d, i]
//
// x is packed channels-last, [batch, t, h, w, channels], the weights [o, taps, channels]. To the input, o are the input channels, x is dy,
// and the taps go backwards: turn = −1.
//
// A block makes tiles of a patch of positions, HIGH rows of 16 along w, by OUTPUTS channels: 512 × 96, or 256 × 192, which fit the layers of
// Wan's decoder. It goes through the terms tap by tap, by steps of 64 channels. Its three warp groups have two roles. One thread of the third
// fetches: it asks the copy engine for a box of x and for boxes of the weights. The first two multiply: each has half of the patch, 64
// positions, four rows, in a product of 64 × OUTPUTS × 16; that is 192 sums a thread. Where fewer than 64 channels are left (96 = 64 + 32), a
// step has fewer products.
//
// A box of x at a tap is the patch, moved by the tap; what is outside of x, the copy engine fills with zeros: no mask, no index of a position.
// The taps along h share a box, which has their reach in rows more. A row is 2048 bytes, two whole swizzles, so at the next of these taps the
// patch begins a row later, or earlier, in the same box. Without that, copies would be what limits.
//
//     x_full[s], x_empty[s]    a box of x has come; it may be overwritten, says each of the eight warps that multiply
//     full[s], empty[s]        the same of the weights of a tap
//
// Nobody waits for the whole block after the first moment. Blocks take every gridDim.x-th tile. Of those that are made at one moment, most
// share their boxes with others: the other channels of a patch, then its neighbours along w, then the frames of the same rows, which meet
// each other's. A result has one order of additions, whatever the number of blocks.
//
// Of sums [64 positions, outputs] a warp has 16 positions, a row of the patch. It turns them by 8 × 8, exchanges pairs, and stores 32 bytes
// of a row of y for each of eight channels at a time, 8 bytes a lane. So rows of y are multiples of 8 bytes.
//
// Ideal traffic: packed x, weights and y once. Example 96 → 96 channels, 3×3×3, at 33 × 512 × 512: 4.3 TFLOP, 4.4 ms at an H100's 989 TFLOP/s;
// 3.3 GB, 1.0 ms, and as much for the packing before. From the second-level cache come, for 16 terms of a tile, 384 cycles of the tensor
// cores, 3 and 6 KB of x or weights, or the other way about: 5.6 TB/s, which it may just give (kernels/README.md). Nothing was measured.
//
// Launch: as many blocks as multiprocessors, or tiles, of 384 threads. Java: backend/cuda/HopperConvolution.java.
#include "hopper.cuh"

static_assert(sizeof(real) == 2, "convolutions of bf16");

static const int WIDE = 16;         // positions of a patch along w
static const int ROW = WIDE * 128;  // bytes of them in a box
static const int ROWS = 64 / WIDE;  // of a product
static const int LONGEST = 3;       // taps along h, at most
static const int THREADS = 384;
static const int FETCHER = 256;     // the thread
static const int TOGETHER = 4;

// An axis of time or space, of one slab.
struct Axis {
    i64 positions, taps;
    i64 first, turn;  // position u and tap d read element u + first + d · turn of what is packed
    i64 size, start;  // of the result; position u is its element start + u
};

struct Product {
    i64 outputs, channels;
    i64 batches, batch;                      // samples of the slab, and the first of them
    i64 output_tiles, w_tiles, h_tiles;      // of a frame
};

struct Convolution {
    Product p;
    Axis t, h, w;
};

// Where a tile begins.
struct Tile {
    int output, w, t, h, sample;

    __device__ Tile(unsigned number, const Convolution& g, int outputs, int high) {
        auto next = [&number](i64 count) {
            unsigned rest = number % (unsigned) count;
            number /= (unsigned) count;
            return (int) rest;
        };
        output = next(g.p.output_tiles) * outputs;
        w = next(g.p.w_tiles) * WIDE;
        t = next(g.t.positions);
        h = next(g.p.h_tiles) * high;
        sample = (int) number;
    }
};

// Begins the products of a step of 16 · SLICES terms: of BLOCKS times 64 positions, each by the same weights.
template <int SLICES, int BLOCKS, int COUNT>
__device__ __forceinline__ void step(float (&sums)[BLOCKS][COUNT], const unsigned char* patch, const unsigned char* weight) {
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < SLICES; k++) {
#pragma unroll
        for (int i = 0; i < BLOCKS; i++)
            wgmma_bf16<false, false>(sums[i], operand(patch + i * ROWS * ROW + k * 32, 16), operand(weight + k * 32, 16), true);
    }
    wgmma_commit();
}

// The sums of a warp group, of which this warp has every ROWS-th row of the patch, from `h` of the slab on. Of the bias it asks for TOGETHER
// times eight channels ahead: the compiler lets no read go before a write.
template <int BLOCKS, int COUNT>
__device__ __forceinline__ void store(
    const float (&sums)[BLOCKS][COUNT], real* y, const real* bias, const Tile& tile, int h, const Convolution& g) {
    int lane = (int) threadIdx.x % 32, w = tile.w + lane % 2 * 8 + lane % 4 / 2 * 4;  // where this lane has four neighbours
    i64 output = tile.output + lane / 4, pixels = g.t.size * g.h.size * g.w.size;
    real* to = y + ((g.p.batch + tile.sample) * g.p.outputs + output) * pixels
        + ((g.t.start + tile.t) * g.h.size + g.h.start + h) * g.w.size + g.w.start + w;
#pragma unroll
    for (int first = 0; first < COUNT / 4; first += TOGETHER) {
        float added[2 * TOGETHER];
#pragma unroll
        for (int i = 0; i < 2 * TOGETHER; i++) {
            i64 o = tile.output + (first + i / 2) * 8 + lane % 4 * 2 + i % 2;
            added[i] = bias != nullptr && o < g.p.outputs ? at(bias, o) : 0.f;
        }
#pragma unroll
        for (int j = 0; j < TOGETHER; j++, output += 8, to += 8 * pixels) {
            float low = added[2 * j], high = added[2 * j + 1];
#pragma unroll
            for (int i = 0; i < BLOCKS; i++) {
                const float* own = sums[i] + 4 * (first + j);
                uint2 turned = {transposed(bf16_pair(own[0] + low, own[1] + high)), transposed(bf16_pair(own[2] + low, own[3] + high))};
                turned = exchanged(turned);
                bool exists = output < g.p.outputs && w < g.w.positions && h + i * ROWS < g.h.positions;
                if (exists) *reinterpret_cast<uint2*>(to + i * ROWS * g.w.size) = turned;
            }
        }
    }
}

template <int OUTPUTS, int X_STAGES, int STAGES>
__device__ __forceinline__ void convolve(
    const TensorMap* x, const TensorMap* weight, real* y, const real* bias, const Convolution& g) {
    const int BLOCKS = 384 / OUTPUTS;  // products by which a group has its patch
    const int HIGH = 2 * BLOCKS * ROWS;
    const int X_BYTES = (HIGH + LONGEST - 1) * ROW, BYTES = OUTPUTS * 128;
    DYNAMIC_SHARED(unsigned char, shared);
    unsigned char* x_stages = shared + (0u - address_in_shared(shared)) % 1024u;
    unsigned char* stages = x_stages + X_STAGES * X_BYTES;
    Barrier* x_full = reinterpret_cast<Barrier*>(stages + STAGES * BYTES);
    Barrier *x_empty = x_full + X_STAGES, *full = x_empty + X_STAGES, *empty = full + STAGES;
    if (threadIdx.x == 0) {
        for (int s = 0; s < X_STAGES; s++) {
            barrier_begin(x_full + s, 1);
            barrier_begin(x_empty + s, 8);
        }
        for (int s = 0; s < STAGES; s++) {
            barrier_begin(full + s, 1);
            barrier_begin(empty + s, 8);
        }
        shared_visible();
    }
    __syncthreads();
    unsigned all = (unsigned) (g.p.output_tiles * g.p.w_tiles * g.t.positions * g.p.h_tiles * g.p.batches);
    int high_taps = (int) g.h.taps, turn = (int) g.h.turn;
    Turn<X_STAGES> x_turn;
    Turn<STAGES> weight_turn;

    if (threadIdx.x >= FETCHER) {
        registers_give<24>();
        if (threadIdx.x != FETCHER) return;
        int lowest = (int) g.h.first + min(0, (high_taps - 1) * turn);  // the first row of a box, from the first of the patch
        for (unsigned number = blockIdx.x; number < all; number += gridDim.x) {
            Tile tile(number, g, OUTPUTS, HIGH);
            for (int dt = 0; dt < (int) g.t.taps; dt++) {
                int t = tile.t + (int) g.t.first + dt * (int) g.t.turn;
                for (int dw = 0; dw < (int) g.w.taps; dw++) {
                    int w = tile.w + (int) g.w.first + dw * (int) g.w.turn;
                    for (int channel = 0; channel < (int) g.p.channels; channel += 64, x_turn.next()) {
                        Barrier* f = x_full + x_turn.stage;
                        barrier_wait(x_empty + x_turn.stage, x_turn.parity ^ 1);
                        barrier_arrive_and_expect(f, (HIGH + high_taps - 1) * ROW);
                        copy_box(x_stages + x_turn.stage * X_BYTES, x, channel, w, tile.h + lowest, t, tile.sample, f);
                        for (int dh = 0; dh < high_taps; dh++, weight_turn.next()) {
                            int tap = (dt * high_taps + dh) * (int) g.w.taps + dw;
                            f = full + weight_turn.stage;
                            barrier_wait(empty + weight_turn.stage, weight_turn.parity ^ 1);
                            barrier_arrive_and_expect(f, BYTES);
                            copy_box(stages + weight_turn.stage * BYTES, weight, channel, tap, tile.output, f);
                        }
                    }
                }
            }
        }
    } else {
        registers_take<240>();
        int group = __shfl_sync(ALL_LANES, (int) threadIdx.x / 128, 0);  // so that the compiler knows: it is the same in all lanes
        bool arrives = threadIdx.x % 32 == 0;
        int slices = (int) (g.p.channels + 15) / 16, boxes = (int) (g.t.taps * g.w.taps) * ((slices + 3) / 4);
        int first_row = group * BLOCKS * ROWS + max(0, (1 - high_taps) * turn);  // in a box, for the first tap
        float sums[BLOCKS][OUTPUTS / 2];
        for (unsigned number = blockIdx.x; number < all; number += gridDim.x) {
            Tile tile(number, g, OUTPUTS, HIGH);
            // Not by the first product, nor with the bias, nor in two loops: ptxas of CUDA 12.3, or 13, would have each product waited for.
#pragma unroll
            for (int i = 0; i < BLOCKS; i++) {
#pragma unroll
                for (int j = 0; j < OUTPUTS / 2; j++) sums[i][j] = 0.f;
            }
            int dh = 0, left = slices;  // the tap along h; what this tap has left
            const unsigned char* patch = nullptr;
            Barrier *x_last = nullptr, *last = nullptr;  // of the stages of which products may still be under way
            for (int n = 0; n < boxes * high_taps; n++, weight_turn.next()) {
                if (dh == 0) {
                    barrier_wait(x_full + x_turn.stage, x_turn.parity);
                    patch = x_stages + x_turn.stage * X_BYTES + first_row * ROW;
                }
                barrier_wait(full + weight_turn.stage, weight_turn.parity);
                const unsigned char* stage = stages + weight_turn.stage * BYTES;
                if (left > 2) step<4>(sums, patch, stage);
                else step<2>(sums, patch, stage);
                wgmma_wait<1>();
                if (arrives && last != nullptr) barrier_arrive(last);
                if (arrives && x_last != nullptr) barrier_arrive(x_last);
                last = empty + weight_turn.stage;
                x_last = nullptr;
                patch += turn * ROW;
                if (++dh == high_taps) {
                    x_last = x_empty + x_turn.stage;
                    x_turn.next();
                    dh = 0;
                    left = left > 4 ? left - 4 : slices;
                }
            }
#pragma unroll
            for (int i = 0; i < BLOCKS; i++) wgmma_finish(sums[i]);
            if (arrives) {
                barrier_arrive(last);
                barrier_arrive(x_last);
            }
            store(sums, y, bias, tile, tile.h + group * BLOCKS * ROWS + (int) threadIdx.x / 32 % 4, g);
        }
    }
}

#define MAP const __grid_constant__ TensorMap
#define PARAMETERS real *y, MAP x, MAP weight, const real *bias, Product p, Axis t, Axis h, Axis w

// One block a multiprocessor: its registers are shared out between the roles.
#undef KERNEL
#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS, 1)

KERNEL conv3d_hopper_96(PARAMETERS) {
    convolve<96, 2, 7>(&x, &weight, y, bias, Convolution{p, t, h, w});
}

KERNEL conv3d_hopper_192(PARAMETERS) {
    convolve<192, 3, 4>(&x, &weight, y, bias, Convolution{p, t, h, w});
}
