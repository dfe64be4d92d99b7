// 3-D convolution and its gradients, each as a matrix product whose larger matrix is never built.
//
//     y[b, o, t, h, w] = bias[o] + Σ x[b, i, t·s + dt − front, h·s + dh − front, w·s + dw − front] · weight[o, i, dt, dh, dw]
//
// Forward, rows are the output channels o, terms the taps (i, dt, dh, dw), columns the positions (b, t, h, w): weight [o, taps] times a
// matrix whose element (tap, position) is the x above, or 0 in the padding. conv3d loads it element by element from x, by 64 × 64 tiles of
// the result, 16 terms a stage, as matmul.cu does: column and tap each have a place in x, and their sum is where the element lies.
//
// To the input, rows are the channels i, terms (o, dt, dh, dw), columns the positions of x: each gathers from every y it took part in. With
// a stride s only every s-th tap of an axis meets a given position; which ones depends on (position + front) mod s. So there is a launch
// for each such phase, in which everything steps evenly again: it is the same kernel, with taps that go backwards in y.
//
// To the weights, rows are o, terms the positions of y, columns the taps: conv3d_weight. Long sums are split into parts, whose number
// depends on the sizes alone; conv3d_add and conv3d_weight_add add them up in their order.
//
// Ideal traffic: x, weight and y once. In fact every x is read once for each tap and 64 rows, nearly always from a cache. Launch: parts ·
// column tiles · row tiles blocks of 256 threads, neighbouring rows first. Java: backend/cuda/Convolution.java.
#include "common.cuh"

static const int THREADS = 256;
static const int TILE = 64;   // rows and columns of a block
static const int DEPTH = 16;  // terms of a stage
static const int EACH = TILE * DEPTH / THREADS;

// Coordinate of what does not exist: no tap brings it inside.
static const int NOWHERE = -(1 << 30);

// An axis of time or space.
struct Axis {
    i64 columns;              // positions along it
    i64 taps;                 // taps along it
    i64 source;               // size of what is read
    i64 stride, first, turn;  // position u and tap d read element u · stride + first + d · turn
    i64 weight, tap, step;    // size of the kernel; tap d is its element tap + d · step
    i64 size, start, every;   // size of the result; position u is its element start + u · every
};

struct Product {
    i64 rows, channels;  // channels of the source, which are summed over
    i64 weight_row, weight_channel;
    i64 row_tiles, column_tiles, columns, terms;
    i64 parts, stretch;  // terms in so many parts, of so many each
};

struct Convolution {
    Product p;
    Axis t, h, w;
};

// A column: a position of the result.
struct Position {
    i64 source;   // where the first tap of channel 0 lies, may be outside
    i64 result;   // where row 0 lies
    int t, h, w;  // coordinates of the first tap in the source
};

// A row of the matrix that is never built.
struct Tap {
    i64 source;   // from the first tap of channel 0
    i64 weight;   // from the first of the row; −1 beyond the last
    int t, h, w;  // from the first tap
};

__device__ inline Position position(const Convolution& g, i64 column) {
    Position p = {0, 0, NOWHERE, 0, 0};
    if (column >= g.p.columns) return p;
    i64 w = column % g.w.columns, rest = column / g.w.columns;
    i64 h = rest % g.h.columns;
    rest /= g.h.columns;
    i64 t = rest % g.t.columns, b = rest / g.t.columns;
    p.t = (int) (t * g.t.stride + g.t.first);
    p.h = (int) (h * g.h.stride + g.h.first);
    p.w = (int) (w * g.w.stride + g.w.first);
    p.source = ((b * g.p.channels * g.t.source + p.t) * g.h.source + p.h) * g.w.source + p.w;
    p.result = ((b * g.p.rows * g.t.size + g.t.start + t * g.t.every) * g.h.size + g.h.start + h * g.h.every) * g.w.size + g.w.start
        + w * g.w.every;
    return p;
}

__device__ inline Tap tap(const Convolution& g, i64 term, i64 end) {
    Tap q = {0, -1, NOWHERE / 2, 0, 0};
    if (term >= end) return q;
    i64 w = term % g.w.taps, rest = term / g.w.taps;
    i64 h = rest % g.h.taps;
    rest /= g.h.taps;
    i64 t = rest % g.t.taps, channel = rest / g.t.taps;
    q.t = (int) (t * g.t.turn);
    q.h = (int) (h * g.h.turn);
    q.w = (int) (w * g.w.turn);
    q.source = ((channel * g.t.source + q.t) * g.h.source + q.h) * g.w.source + q.w;
    q.weight = channel * g.p.weight_channel
        + ((g.t.tap + t * g.t.step) * g.h.weight + g.h.tap + h * g.h.step) * g.w.weight + g.w.tap + w * g.w.step;
    return q;
}

__device__ inline bool inside(int i, i64 size) {
    return (unsigned) i < (unsigned) size;
}

// What a tap reads at a position; 0 in the padding.
__device__ __forceinline__ float meeting(const Convolution& g, const real* x, i64 source, int t, int h, int w, const Tap& q) {
    bool in = inside(t + q.t, g.t.source) && inside(h + q.h, g.h.source) && inside(w + q.w, g.w.source);
    return in ? at(x, source + q.source) : 0.f;
}

// Adds the products of a stage to the 4 × 4 sums of thread (row, column) of 16 × 16.
__device__ __forceinline__ void multiply(float (&sums)[4][4], const float (*a)[TILE + 4], const float (*b)[TILE + 4]) {
    int row = (int) threadIdx.x / 16 * 4, column = (int) threadIdx.x % 16 * 4;
#pragma unroll 2
    for (int k = 0; k < DEPTH; k++) {
        float u[4], v[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            u[i] = a[k][row + i];
            v[i] = b[k][column + i];
        }
#pragma unroll
        for (int i = 0; i < 4; i++) {
#pragma unroll
            for (int j = 0; j < 4; j++) sums[i][j] = fmaf(u[i], v[j], sums[i][j]);
        }
    }
}

// Registers for at least two blocks on a multiprocessor.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    conv3d(real*, float*, const real*, const real*, const real*, Product, Axis, Axis, Axis);
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    conv3d_weight(real*, float*, const real*, const real*, Product, Axis, Axis, Axis);

// y (+ bias, optional), or with several parts `partial` [parts, rows, columns]. Each thread loads for one column of the tile, so that
// neighbouring threads read neighbouring positions, and weights along the taps, or along the rows where those are neighbours. What is
// common to all threads of a stage, its 16 taps, is worked out by one thread each, a stage ahead; loads are a stage ahead too.
KERNEL conv3d(real* y, float* partial, const real* x, const real* weight, const real* bias, Product p, Axis t, Axis h, Axis w) {
    const Convolution g = {p, t, h, w};
    __shared__ __align__(16) float a[DEPTH][TILE + 4];
    __shared__ __align__(16) float b[DEPTH][TILE + 4];
    __shared__ Tap taps[DEPTH];
    __shared__ i64 results[TILE];

    int thread = (int) threadIdx.x;
    i64 rest = blockIdx.x;
    i64 row = rest % p.row_tiles * TILE;
    rest /= p.row_tiles;
    i64 column = rest % p.column_tiles * TILE, part = rest / p.column_tiles;
    i64 from = part * p.stretch, to = min(from + p.stretch, p.terms);

    Position mine = position(g, column + thread % TILE);
    if (thread < TILE) results[thread] = mine.result;
    bool along_rows = p.weight_row == 1;
    int a_row = along_rows ? thread % TILE : thread / DEPTH, a_row_step = along_rows ? 0 : THREADS / DEPTH;
    int a_term = along_rows ? thread / TILE : thread % DEPTH, a_term_step = along_rows ? THREADS / TILE : 0;
    int b_term = thread / TILE;

    float sums[4][4] = {};
    float a_held[EACH] = {}, b_held[EACH] = {};
    // Stage k is loaded in one round and multiplied in the next.
    for (i64 k = from - DEPTH; k < to; k += DEPTH) {
        if (k >= from) {
#pragma unroll
            for (int c = 0; c < EACH; c++) {
                a[a_term + c * a_term_step][a_row + c * a_row_step] = a_held[c];
                b[b_term + c * (THREADS / TILE)][thread % TILE] = b_held[c];
            }
        }
        if (thread < DEPTH) taps[thread] = tap(g, k + DEPTH + thread, to);
        __syncthreads();
        if (k + DEPTH < to) {
#pragma unroll
            for (int c = 0; c < EACH; c++) {
                i64 r = row + a_row + c * a_row_step, of_row = taps[a_term + c * a_term_step].weight;
                a_held[c] = r < p.rows && of_row >= 0 ? at(weight, r * p.weight_row + of_row) : 0.f;
                b_held[c] = meeting(g, x, mine.source, mine.t, mine.h, mine.w, taps[b_term + c * (THREADS / TILE)]);
            }
        }
        if (k >= from) multiply(sums, a, b);
        __syncthreads();
    }

    i64 pixels = t.size * h.size * w.size;
    row += thread / 16 * 4;
    int first = thread % 16 * 4;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        if (row + i >= p.rows) continue;
        float start = bias != nullptr && partial == nullptr ? at(bias, row + i) : 0.f;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            i64 c = column + first + j;
            if (c >= p.columns) continue;
            if (partial != nullptr) partial[(part * p.rows + row + i) * p.columns + c] = sums[i][j];
            else put(y + results[first + j] + (row + i) * pixels, sums[i][j] + start);
        }
    }
}

// y = Σ partial [parts, rows, columns] over the parts (+ bias, optional), one thread an element
KERNEL conv3d_add(real* y, const float* partial, const real* bias, Product p, Axis t, Axis h, Axis w) {
    const Convolution g = {p, t, h, w};
    i64 size = p.rows * p.columns, pixels = t.size * h.size * w.size;
    for (i64 e = thread_number(); e < size; e += thread_count()) {
        i64 row = e / p.columns;
        float sum = 0.f;
        for (i64 part = 0; part < p.parts; part++) sum += partial[part * size + e];
        if (bias != nullptr) sum += at(bias, row);
        put(y + position(g, e % p.columns).result + row * pixels, sum);
    }
}

// dweight [rows, taps], or with several parts `partial` [parts, rows, taps], from dy and x. What is given is the way forward, but with the
// tiles, parts and stretch of this product: row_tiles of channels, column_tiles of taps, parts of positions. The taps of the tile are
// worked out once, the 16 positions of a stage a stage ahead, and both operands are read along the positions.
KERNEL conv3d_weight(real* dweight, float* partial, const real* dy, const real* x, Product p, Axis t, Axis h, Axis w) {
    const Convolution g = {p, t, h, w};
    __shared__ __align__(16) float a[DEPTH][TILE + 4];
    __shared__ __align__(16) float b[DEPTH][TILE + 4];
    __shared__ Tap taps[TILE];
    __shared__ Position positions[DEPTH];

    int thread = (int) threadIdx.x;
    i64 rest = blockIdx.x;
    i64 row = rest % p.row_tiles * TILE;
    rest /= p.row_tiles;
    i64 column = rest % p.column_tiles * TILE, part = rest / p.column_tiles;
    i64 from = part * p.stretch, to = min(from + p.stretch, p.columns);

    if (thread < TILE) taps[thread] = tap(g, column + thread, p.terms);
    i64 pixels = t.size * h.size * w.size;
    int term = thread % DEPTH, line = thread / DEPTH;

    float sums[4][4] = {};
    float a_held[EACH] = {}, b_held[EACH] = {};
    for (i64 k = from - DEPTH; k < to; k += DEPTH) {
        if (k >= from) {
#pragma unroll
            for (int c = 0; c < EACH; c++) {
                a[term][line + c * (THREADS / DEPTH)] = a_held[c];
                b[term][line + c * (THREADS / DEPTH)] = b_held[c];
            }
        }
        if (thread < DEPTH) positions[thread] = position(g, k + DEPTH + thread);
        __syncthreads();
        if (k + DEPTH < to) {
            const Position& at_term = positions[term];
            bool exists = k + DEPTH + term < to;
#pragma unroll
            for (int c = 0; c < EACH; c++) {
                int l = line + c * (THREADS / DEPTH);
                a_held[c] = exists && row + l < p.rows ? at(dy, at_term.result + (row + l) * pixels) : 0.f;
                b_held[c] = exists ? meeting(g, x, at_term.source, at_term.t, at_term.h, at_term.w, taps[l]) : 0.f;
            }
        }
        if (k >= from) multiply(sums, a, b);
        __syncthreads();
    }

    row += thread / 16 * 4;
    column += thread % 16 * 4;
    i64 to_row = (partial != nullptr ? part * p.rows : 0) + row;
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            if (row + i >= p.rows || column + j >= p.terms) continue;
            i64 e = (to_row + i) * p.terms + column + j;
            if (partial != nullptr) partial[e] = sums[i][j];
            else put(dweight + e, sums[i][j]);
        }
    }
}

// partial [parts, channels]: sums of dy [batch, channels, pixels] over `stretch` of its batch · pixels positions; a block a sum
KERNEL conv3d_bias(float* partial, const real* dy, i64 channels, i64 pixels, i64 positions, i64 stretch) {
    i64 channel = blockIdx.x % channels, part = blockIdx.x / channels;
    i64 from = part * stretch, to = min(from + stretch, positions);
    float sum = 0.f;
    for (i64 i = from + threadIdx.x; i < to; i += blockDim.x) sum += at(dy, (i / pixels * channels + channel) * pixels + i % pixels);
    sum = block_sum(sum);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// y = Σ partial [parts, size] over the parts, one thread an element: for the weights and the bias
KERNEL conv3d_weight_add(real* y, const float* partial, i64 parts, i64 size) {
    for (i64 e = thread_number(); e < size; e += thread_count()) {
        float sum = 0.f;
        for (i64 part = 0; part < parts; part++) sum += partial[part * size + e];
        put(y + e, sum);
    }
}
