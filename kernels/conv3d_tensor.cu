// 3-D convolution and its gradient to the input on tensor cores: the products of conv3d.cu, of bf16. Java launches it where that is stored.
//
//     y[b, o, p] = bias[o] + Σ over taps d and channels i of weight[o, d, i] · x[b, place(p, d), i]
//
// Rows are the output channels o, columns the positions p, terms the pairs (tap, channel), channel by channel within a tap. Tensor cores are
// fed by copies of 16 bytes, 8 terms; so both operands are packed first, into scratch memory: x channels-last, [batch, t, h, w, channels],
// the weights [o, taps, channels], the channels filled up with zeros to a multiple of 8. Then 16 bytes lie within one tap of one
// position, and the matrix of columns and terms need not be built: a copy goes to `position + tap`, or brings zeros where that is outside
// of x. Which taps of a position are inside is a mask, worked out once; a tap costs a thread an offset and a comparison.
//
// To the input, rows are the channels i, and x is dy: a launch for each phase of the strides, whose taps go backwards (see conv3d.cu).
//
// A block has ROWS (96 or 32) × 128 results, four warps 48 × 64 or 32 × 32 of them each. It goes through the terms by stages of 32, of which
// two are under way while one is multiplied. Results go through shared memory, so that neighbouring threads store neighbouring positions.
// Long sums with few results are split into parts, which conv3d_tensor_add adds up in their order.
//
// Java (backend/cuda/TensorConvolution.java) cuts x into slabs of time and rows, so that a packed slab has its bound: a slab after another
// is packed and multiplied. Its rows also fit the cache of the device: of 33 frames, the three that a position meets are near each other.
//
// Ideal traffic: x is read, written and read again once, y written once. 3×3×3, 96 → 96 channels at 33 × 512 × 512: 4.3 TFLOP, 6.7 GB,
// of which the packing takes 3.4. 384 → 384 at 9 × 64 × 64: 0.29 TFLOP, 0.14 GB. Both are far on the side of the arithmetic (640 and
// 2,100 FLOP a byte); what a block reads from the L2 cache, (96 + 128) · 2 bytes a term, gives 55 FLOP a byte, and is the nearer limit.
#include "tensor_cores.cuh"

static const int THREADS = 128;
static const int COLUMNS = 128;  // positions of a block
static const int EIGHT = 8;      // terms of 16 bytes
static const int CHUNKS = 4;     // 16 bytes of a row in a stage
static const int STAGES = 3;
static const int LONGEST = 10;   // taps along an axis, at most: three masks share 32 bits
static const int LINES = THREADS / CHUNKS;

// An axis of time or space, of one slab; as in conv3d.cu.
struct Axis {
    i64 columns;              // positions along it
    i64 taps;                 // taps along it
    i64 source;               // size of what is packed
    i64 stride, first, turn;  // position u and tap d read element u · stride + first + d · turn
    i64 weight, tap, step;    // size of the kernel; tap d is its element tap + d · step
    i64 size, start, every;   // size of the result; position u is its element start + u · every
};

struct Product {
    i64 rows;
    i64 chunks;           // 16 bytes of a packed position: its channels
    i64 weight_row;       // and of a packed row of weights
    i64 batches, batch;   // samples of the slab, and the first of them
    i64 row_tiles, column_tiles, columns;  // of a sample
    i64 stages, parts, stretch;            // stages in so many parts, of so many each
};

struct Convolution {
    Product p;
    Axis t, h, w;
};

// Which of x is packed: some samples' frames and rows.
struct Slab {
    i64 channels, chunks, t, h, w;
    i64 batch, frames, frame, rows, row;
};

// ---- packing ----------------------------------------------------------------------------------------------------------------------

static const int PACKED_POSITIONS = 128;
static const int PACKED_PAIRS = 16;  // of channels

// packed [batches, frames, rows · w, chunks] = x [batch, channels, t, h, w]. A block of 256 threads takes 128 positions of 32 channels: reads
// along the positions, turns them in shared memory, where a row has an odd number of words, and writes along the channels.
KERNEL conv3d_tensor_pack(uint4* packed, const real* x, Slab s) {
    __shared__ unsigned words[PACKED_POSITIONS][PACKED_PAIRS + 1];
    i64 positions = s.rows * s.w;
    unsigned tiles = (unsigned) ((positions + PACKED_POSITIONS - 1) / PACKED_POSITIONS);
    unsigned groups = (unsigned) (s.chunks + CHUNKS - 1) / CHUNKS;
    unsigned tile = blockIdx.x / groups, picture = tile / tiles;
    i64 chunk = (i64) (blockIdx.x % groups) * CHUNKS, position = (i64) (tile % tiles) * PACKED_POSITIONS;
    i64 b = picture / (unsigned) s.frames, frame = picture % (unsigned) s.frames;

    int thread = (int) threadIdx.x, mine = thread % PACKED_POSITIONS;
    const real* from = x + (((s.batch + b) * s.channels * s.t + s.frame + frame) * s.h + s.row) * s.w + position + mine;
    i64 channel_step = s.t * s.h * s.w;
    float low[PACKED_PAIRS / 2], high[PACKED_PAIRS / 2];
#pragma unroll
    for (int k = 0; k < PACKED_PAIRS / 2; k++) {
        i64 channel = chunk * EIGHT + 2 * (2 * k + thread / PACKED_POSITIONS);
        bool exists = position + mine < positions;
        low[k] = exists && channel < s.channels ? at(from, channel * channel_step) : 0.f;
        high[k] = exists && channel + 1 < s.channels ? at(from, (channel + 1) * channel_step) : 0.f;
    }
#pragma unroll
    for (int k = 0; k < PACKED_PAIRS / 2; k++) words[mine][2 * k + thread / PACKED_POSITIONS] = bf16_pair(low[k], high[k]);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < PACKED_POSITIONS * CHUNKS / 256; k++) {
        int p = (thread + k * 256) / CHUNKS, c = thread % CHUNKS;
        if (position + p >= positions || chunk + c >= s.chunks) continue;
        const unsigned* of = words[p] + c * 4;
        packed[(picture * positions + position + p) * s.chunks + chunk + c] = uint4{of[0], of[1], of[2], of[3]};
    }
}

// packed [rows, taps, chunks] from weights whose element (row, channel, tap) is row · row_step + channel · channel_step + tap; a thread for
// each 16 bytes
KERNEL conv3d_tensor_weights(uint4* packed, const real* weight, i64 rows, i64 channels, i64 taps, i64 row_step, i64 channel_step) {
    i64 chunks = (channels + EIGHT - 1) / EIGHT, size = rows * taps * chunks;
    for (i64 e = thread_number(); e < size; e += thread_count()) {
        i64 channel = e % chunks * EIGHT, tap = e / chunks % taps, row = e / chunks / taps;
        const real* from = weight + row * row_step + channel * channel_step + tap;
        float v[EIGHT];
#pragma unroll
        for (int i = 0; i < EIGHT; i++) v[i] = channel + i < channels ? at(from, i * channel_step) : 0.f;
        packed[e] = uint4{bf16_pair(v[0], v[1]), bf16_pair(v[2], v[3]), bf16_pair(v[4], v[5]), bf16_pair(v[6], v[7])};
    }
}

// ---- the product ------------------------------------------------------------------------------------------------------------------

// A position of a sample; there are less than 2³² of them.
struct Position {
    i64 t, h, w;
};

__device__ __forceinline__ Position position(const Convolution& g, i64 column) {
    unsigned w = (unsigned) g.w.columns, h = (unsigned) g.h.columns, rest = (unsigned) column / w;
    return Position{rest / h, rest % h, (unsigned) column % w};
}

// Where it lies in the result, for row 0 of sample 0.
__device__ __forceinline__ i64 place(const Convolution& g, const Position& u) {
    return ((g.t.start + u.t * g.t.every) * g.h.size + g.h.start + u.h * g.h.every) * g.w.size + g.w.start + u.w * g.w.every;
}

// Bit d is set if tap d of position u is inside.
__device__ __forceinline__ unsigned mask(const Axis& a, i64 u) {
    unsigned bits = 0;
    for (int d = 0; d < (int) a.taps; d++) {
        i64 i = u * a.stride + a.first + d * a.turn;
        if (i >= 0 && i < a.source) bits |= 1u << d;
    }
    return bits;
}

// What a thread copies for: some positions and some rows, each the same 16 bytes of a stage. Numbers of 16 bytes in what is packed are int:
// Java makes sure that they fit.
template <int ROWS>
struct Copies {
    static const int STAGE = (ROWS + COLUMNS) * CHUNKS;  // 16 bytes of a stage

    int from[COLUMNS / LINES];         // where the first tap of a position lies, may be outside
    unsigned inside[COLUMNS / LINES];  // which taps are inside, along w from bit 0, along h and t above
    int rows;                          // so many of this thread's rows exist
    int t, h, w, chunk;                // the tap of the next stage, and which of its channels

    __device__ __forceinline__ void begin(const Convolution& g, i64 b, i64 row, i64 column, i64 stage) {
        int line = (int) threadIdx.x / CHUNKS;
#pragma unroll
        for (int i = 0; i < COLUMNS / LINES; i++) {
            i64 c = column + line + i * LINES;
            Position u = position(g, c);
            from[i] = (int) ((((b * g.t.source + u.t * g.t.stride + g.t.first) * g.h.source + u.h * g.h.stride + g.h.first) * g.w.source
                + u.w * g.w.stride + g.w.first) * g.p.chunks);
            inside[i] = c < g.p.columns ? mask(g.w, u.w) | mask(g.h, u.h) << LONGEST | mask(g.t, u.t) << 2 * LONGEST : 0u;
        }
        i64 left = g.p.rows - row - line;
        rows = (int) (left <= 0 ? 0 : min((left + LINES - 1) / LINES, (i64) (ROWS / LINES)));
        int first = (int) stage * CHUNKS + (int) threadIdx.x % CHUNKS, tap = first / (int) g.p.chunks;
        chunk = first % (int) g.p.chunks;
        w = tap % (int) g.w.taps;
        tap /= (int) g.w.taps;
        h = tap % (int) g.h.taps;
        t = tap / (int) g.h.taps;
    }

    // Copies a stage to `to`: ROWS rows of weights, then COLUMNS positions; and goes to the next. `weight` is where the block's rows begin.
    __device__ __forceinline__ void stage(uint4* to, const uint4* x, const uint4* weight, const Convolution& g) {
        int line = (int) threadIdx.x / CHUNKS, chunks = (int) g.p.chunks;
        to += swizzled<CHUNKS>(line, (int) threadIdx.x % CHUNKS);
        bool exists = t < (int) g.t.taps;
        int in_weight = (((int) g.t.tap + t * (int) g.t.step) * (int) g.h.weight + (int) g.h.tap + h * (int) g.h.step) * (int) g.w.weight
            + (int) g.w.tap + w * (int) g.w.step;
        in_weight = in_weight * chunks + chunk + line * (int) g.p.weight_row;
#pragma unroll
        for (int i = 0; i < ROWS / LINES; i++) {
            bool here = exists && i < rows;
            copy_async(to + i * LINES * CHUNKS, weight + (here ? in_weight + i * LINES * (int) g.p.weight_row : 0), here);
        }
        unsigned tap = exists ? 1u << w | 1u << (LONGEST + h) | 1u << (2 * LONGEST + t) : 1u << 31;
        int in_x = (t * (int) g.t.turn * (int) g.h.source + h * (int) g.h.turn) * (int) g.w.source + w * (int) g.w.turn;
        in_x = in_x * chunks + chunk;
#pragma unroll
        for (int i = 0; i < COLUMNS / LINES; i++) {
            bool here = (inside[i] & tap) == tap;
            copy_async(to + (ROWS + i * LINES) * CHUNKS, x + (here ? from[i] + in_x : 0), here);
        }
        chunk += CHUNKS;
        while (chunk >= chunks) {
            chunk -= chunks;
            if (++w < (int) g.w.taps) continue;
            w = 0;
            if (++h < (int) g.h.taps) continue;
            h = 0;
            t++;
        }
    }
};

// y (+ bias, optional), or with several parts `partial` [parts, batches, rows, columns], of packed x and weights.
template <int ROWS>
__device__ __forceinline__ void convolve(real* y, float* partial, const uint4* x, const uint4* weight, const real* bias,
    const Convolution& g) {
    const Product& p = g.p;
    const int DOWN = ROWS == 32 ? 1 : 2, ACROSS = 4 / DOWN;  // warps of a block
    const int HIGH = ROWS / DOWN, WIDE = COLUMNS / ACROSS;   // results of a warp
    const int STAGE = Copies<ROWS>::STAGE;
    DYNAMIC_SHARED(uint4, shared);

    unsigned tile = blockIdx.x / (unsigned) p.row_tiles, sample = tile / (unsigned) p.column_tiles;
    i64 row = (i64) (blockIdx.x % (unsigned) p.row_tiles) * ROWS, column = (i64) (tile % (unsigned) p.column_tiles) * COLUMNS;
    i64 b = sample % (unsigned) p.batches, part = sample / (unsigned) p.batches;
    i64 stage = part * p.stretch;
    int stages = (int) (min(stage + p.stretch, p.stages) - stage);

    int warp = (int) threadIdx.x / 32, lane = (int) threadIdx.x % 32;
    int down = warp % DOWN * HIGH, across = warp / DOWN * WIDE;
    // Where a lane's rows of fragments lie: 16 rows on the places of a row are the same again, and terms 16 and up are in place ^ 2.
    int a_first = swizzled<CHUNKS>(down + lane % 16, lane / 16);
    int b_first = swizzled<CHUNKS>(ROWS + across + lane / 16 * 8 + lane % 8, lane / 8 % 2);

    Copies<ROWS> copies;
    if (stages > 0) copies.begin(g, b, row, column, stage);
    const uint4* weights = weight + row * p.weight_row;
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < stages) copies.stage(shared + s * STAGE, x, weights, g);
        copies_end();
    }
    // Sums begin with the bias, in the first part.
    float sums[HIGH / 16][WIDE / 8][4];
#pragma unroll
    for (int i = 0; i < HIGH / 16; i++) {
#pragma unroll
        for (int g = 0; g < 2; g++) {
            i64 o = row + down + i * 16 + lane / 4 + 8 * g;
            float start = bias != nullptr && part == 0 && o < p.rows ? at(bias, o) : 0.f;
#pragma unroll
            for (int j = 0; j < WIDE / 8; j++) sums[i][j][2 * g] = sums[i][j][2 * g + 1] = start;
        }
    }
    int now = 0, next = STAGES - 1;
    for (int s = 0; s < stages; s++) {
        copies_wait<STAGES - 2>();
        __syncthreads();
        if (s + STAGES - 1 < stages) copies.stage(shared + next * STAGE, x, weights, g);
        copies_end();
        const uint4* from = shared + now * STAGE;
#pragma unroll
        for (int k = 0; k < CHUNKS; k += 2) {
            unsigned a[HIGH / 16][4];
#pragma unroll
            for (int i = 0; i < HIGH / 16; i++)
                load_matrices(a[i], from + (a_first ^ k) + i * 16 * CHUNKS);
#pragma unroll
            for (int j = 0; j < WIDE / 8; j += 2) {
                unsigned two[4];
                load_matrices(two, from + (b_first ^ k) + j * 8 * CHUNKS);
                unsigned left[2] = {two[0], two[1]}, right[2] = {two[2], two[3]};
#pragma unroll
                for (int i = 0; i < HIGH / 16; i++) {
                    mma_bf16(sums[i][j], a[i], left);
                    mma_bf16(sums[i][j + 1], a[i], right);
                }
            }
        }
        now = now + 1 == STAGES ? 0 : now + 1;
        next = next + 1 == STAGES ? 0 : next + 1;
    }
    copies_wait<0>();
    __syncthreads();

    // 16 rows at a time, each warp for itself; eight rows of pairs lie in different banks.
    const int LONG = WIDE + 8;
    float* turned = reinterpret_cast<float*>(shared) + warp * 16 * LONG;
    i64 pixels = g.t.size * g.h.size * g.w.size;
    i64 places[WIDE / 32];
#pragma unroll
    for (int e = 0; e < WIDE / 32; e++) {
        i64 c = column + across + e * 32 + lane;
        places[e] = c >= p.columns ? -1 : partial != nullptr ? c : place(g, position(g, c));
    }
    i64 first = partial != nullptr ? (part * p.batches + b) * p.rows : (p.batch + b) * p.rows;
    i64 step = partial != nullptr ? p.columns : pixels;
#pragma unroll
    for (int i = 0; i < HIGH / 16; i++) {
        __syncwarp();
#pragma unroll
        for (int j = 0; j < WIDE / 8; j++) {
#pragma unroll
            for (int g = 0; g < 2; g++) {
                uint2 pair = {(unsigned) __float_as_int(sums[i][j][2 * g]), (unsigned) __float_as_int(sums[i][j][2 * g + 1])};
                *reinterpret_cast<uint2*>(turned + (lane / 4 + 8 * g) * LONG + j * 8 + lane % 4 * 2) = pair;
            }
        }
        __syncwarp();
#pragma unroll 4
        for (int r = 0; r < 16; r++) {
            i64 o = row + down + i * 16 + r;
#pragma unroll
            for (int e = 0; e < WIDE / 32; e++) {
                if (o >= p.rows || places[e] < 0) continue;
                float sum = turned[r * LONG + e * 32 + lane];
                if (partial != nullptr) partial[(first + o) * step + places[e]] = sum;
                else put(y + (first + o) * step + places[e], sum);
            }
        }
    }
}

// Registers for three blocks on a multiprocessor, or five.
extern "C" __global__ void __launch_bounds__(THREADS, 3)
    conv3d_tensor_96(real*, float*, const uint4*, const uint4*, const real*, Product, Axis, Axis, Axis);
extern "C" __global__ void __launch_bounds__(THREADS, 5)
    conv3d_tensor_32(real*, float*, const uint4*, const uint4*, const real*, Product, Axis, Axis, Axis);

KERNEL conv3d_tensor_96(real* y, float* partial, const uint4* x, const uint4* weight, const real* bias, Product p, Axis t, Axis h, Axis w) {
    convolve<96>(y, partial, x, weight, bias, Convolution{p, t, h, w});
}

KERNEL conv3d_tensor_32(real* y, float* partial, const uint4* x, const uint4* weight, const real* bias, Product p, Axis t, Axis h, Axis w) {
    convolve<32>(y, partial, x, weight, bias, Convolution{p, t, h, w});
}

// y = Σ partial [parts, batches, rows, columns] over the parts, one thread an element
KERNEL conv3d_tensor_add(real* y, const float* partial, Product p, Axis t, Axis h, Axis w) {
    const Convolution g = {p, t, h, w};
    i64 size = p.batches * p.rows * p.columns, pixels = t.size * h.size * w.size;
    for (i64 e = thread_number(); e < size; e += thread_count()) {
        i64 line = e / p.columns;
        float sum = 0.f;
        for (i64 part = 0; part < p.parts; part++) sum += partial[part * size + e];
        put(y + (p.batch * p.rows + line) * pixels + place(g, position(g, e % p.columns)), sum);
    }
}
