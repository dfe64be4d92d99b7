// Matrix products: y = x + gate · f(op(a) · op(b) + bias), with x and y [batch, M, N], op(a) [M, K], op(b) [K, N], bias [N], of which x, gate,
// f and bias may be missing. What becomes of a finished sum, and which f there are, is in epilogue.cuh.
//
// matmul_naive is the formula, one thread an element. matmul_64 and matmul_128 compute the same by tiles: a block of 256 threads makes a
// tile of 64 × 64 or 128 × 128 elements of y, and goes along K in stages of 16 or 8 terms. For each stage it brings a stripe of op(a) and
// one of op(b) to shared memory, both with K outermost, and every thread adds that many outer products to its 4 × 4 or 8 × 8 sums, which
// stay in registers: a number read from shared memory is used 4 or 8 times, one read from device memory 64 or 128 times. While a stage is
// computed, the next one is on its way to registers.
//
// Where y has few tiles and K is long, K is split into parts, a block a tile and part; matmul_add adds up the parts in their order. How
// many there are depends on the sizes alone, so equal calls give equal bits.
//
// Ideal traffic: a and b once, y once (x once, where it is added to, and v once, where it is kept). In fact a comes N / 64 (128) times, b
// M / 64 (128) times, mostly from the second-level cache.
// Launch: parts · batch · row tiles · column tiles blocks of 256 threads, neighbouring columns first. Java: backend/cuda/Matmul.java.
#include "epilogue.cuh"

static const int THREADS = 256;

// The sizes, and where things lie: op(a)[i, k] is a[i · a_row + k · a_term], op(b)[k, j] is b[j · b_column + k · b_term].
struct Product {
    i64 batch, m, n, k;
    i64 a_row, a_term, a_batch;
    i64 b_column, b_term, b_batch;
    i64 row_tiles, column_tiles;
    i64 parts, stretch;  // K in so many parts, of so many terms each
};

// One thread an element of y, `size` of them, grid-stride: where to begin reading.
KERNEL matmul_naive(real* y, const real* a, const real* b, Epilogue epilogue, Product p, i64 size) {
    for (i64 e = thread_number(); e < size; e += thread_count()) {
        i64 j = e % p.n, line = e / p.n, i = line % p.m, batch = line / p.m;
        const real* row = a + batch * p.a_batch + i * p.a_row;
        const real* column = b + batch * p.b_batch + j * p.b_column;
        float sum = 0.f;
        for (i64 k = 0; k < p.k; k++) sum = fmaf(at(row, k * p.a_term), at(column, k * p.b_term), sum);
        finish(y, line, j, p.n, sum, epilogue);
    }
}

// TILE lines (rows of op(a) or columns of op(b)) on their way to shared memory. Each thread brings COUNT elements of a stage. Neighbouring
// threads read neighbouring elements, whichever way the matrix lies: along the terms or along the lines.
template <int TILE, int DEPTH>
struct Stripe {
    static const int COUNT = TILE * DEPTH / THREADS;
    static const int PITCH = TILE + 4;  // of a row in shared memory: writes along the terms fall on other banks, 16 bytes stay aligned

    const real* next;  // this thread's first element of the next stage
    i64 step;          // from there to its next element of the stage
    bool along_terms;  // which is of another line, or else of another term
    int term, place;   // the term of the first, and where it goes in shared memory
    unsigned inside;   // bit c: the line of element c exists
    float held[COUNT];

    // Lines `first` … of `all`, terms from `from` on.
    __device__ Stripe(const real* matrix, i64 first, i64 all, i64 from, i64 line_stride, i64 term_stride) {
        int t = (int) threadIdx.x;
        along_terms = term_stride == 1;
        int line = along_terms ? t / DEPTH : t % TILE;
        int line_step = along_terms ? THREADS / DEPTH : 0;
        term = along_terms ? t % DEPTH : t / TILE;
        place = term * PITCH + line;
        next = matrix + (first + line) * line_stride + (from + term) * term_stride;
        step = along_terms ? line_step * line_stride : THREADS / TILE * term_stride;
        inside = 0;
        for (int c = 0; c < COUNT; c++) inside |= first + line + c * line_step < all ? 1u << c : 0u;
    }

    // From device memory to registers; 0 beyond the last line and the last of `left` terms.
    __device__ __forceinline__ void fetch(i64 left, i64 term_stride) {
        int terms = (int) min(left, (i64) DEPTH);
        const real* from = next;
#pragma unroll
        for (int c = 0; c < COUNT; c++) {
            held[c] = (inside >> c & 1u) && term + (along_terms ? 0 : c * (THREADS / TILE)) < terms ? at(from, 0) : 0.f;
            from += step;
        }
        next += DEPTH * term_stride;
    }

    // From registers to shared memory.
    __device__ __forceinline__ void store(float* to) const {
#pragma unroll
        for (int c = 0; c < COUNT; c++) to[place + c * (along_terms ? THREADS / DEPTH : THREADS / TILE * PITCH)] = held[c];
    }
};

// A tile of GROUPS × GROUPS squares of 64 × 64. Thread (row, column) of 16 × 16 has 4 × 4 sums in each square.
template <int GROUPS, int DEPTH>
__device__ __forceinline__ void matmul_tile(
    real* y, float* partial, const real* a, const real* b, const Epilogue& epilogue, const Product& p) {
    const int TILE = 64 * GROUPS;
    const int SIDE = 4 * GROUPS;
    __shared__ __align__(16) float stage[2 * DEPTH][TILE + 4];
    float(*a_stage)[TILE + 4] = stage;
    float(*b_stage)[TILE + 4] = stage + DEPTH;

    i64 rest = blockIdx.x;
    i64 column = rest % p.column_tiles * TILE;
    rest /= p.column_tiles;
    i64 row = rest % p.row_tiles * TILE;
    rest /= p.row_tiles;
    i64 batch = rest % p.batch, part = rest / p.batch;
    i64 from = part * p.stretch, left = min(p.stretch, p.k - from);

    Stripe<TILE, DEPTH> a_stripe(a + batch * p.a_batch, row, p.m, from, p.a_row, p.a_term);
    Stripe<TILE, DEPTH> b_stripe(b + batch * p.b_batch, column, p.n, from, p.b_column, p.b_term);
    int my_row = (int) threadIdx.x / 16 * 4, my_column = (int) threadIdx.x % 16 * 4;
    float sums[SIDE][SIDE] = {};

    a_stripe.fetch(left, p.a_term);
    b_stripe.fetch(left, p.b_term);
    for (; left > 0; left -= DEPTH) {
        a_stripe.store(a_stage[0]);
        b_stripe.store(b_stage[0]);
        __syncthreads();
        a_stripe.fetch(left - DEPTH, p.a_term);
        b_stripe.fetch(left - DEPTH, p.b_term);
#pragma unroll 1
        for (int term = 0; term < DEPTH; term++) {
            float u[SIDE], v[SIDE];
#pragma unroll
            for (int i = 0; i < SIDE; i++) {
                u[i] = a_stage[term][my_row + i / 4 * 64 + i % 4];
                v[i] = b_stage[term][my_column + i / 4 * 64 + i % 4];
            }
#pragma unroll
            for (int i = 0; i < SIDE; i++) {
#pragma unroll
                for (int j = 0; j < SIDE; j++) sums[i][j] = fmaf(u[i], v[j], sums[i][j]);
            }
        }
        __syncthreads();
    }

    int lines = (int) min(p.m - row, (i64) TILE);
    i64 c = column + threadIdx.x % TILE;
    i64 first = ((partial != nullptr ? part * p.batch : 0) + batch) * p.m + row;
    // Out by way of shared memory, a line of each row of threads at a time: neighbouring threads finish and store neighbouring elements, and
    // the code of the epilogue is there SIDE times and not once for every sum.
#pragma unroll
    for (int i = 0; i < SIDE; i++) {
#pragma unroll
        for (int j = 0; j < SIDE; j++) stage[threadIdx.x / 16][my_column + j / 4 * 64 + j % 4] = sums[i][j];
        __syncthreads();
#pragma unroll 1
        for (int k = (int) threadIdx.x / TILE; k < 16 && c < p.n; k += THREADS / TILE) {
            int line = 4 * k + i / 4 * 64 + i % 4;
            if (line >= lines) break;
            float sum = stage[k][threadIdx.x % TILE];
            if (partial != nullptr) partial[(first + line) * p.n + c] = sum;
            else finish(y, first + line, c, p.n, sum, epilogue);
        }
        __syncthreads();
    }
}

// Registers for at least three blocks on a multiprocessor, or two of the larger ones.
extern "C" __global__ void __launch_bounds__(THREADS, 3) matmul_64(real*, float*, const real*, const real*, Epilogue, Product);
extern "C" __global__ void __launch_bounds__(THREADS, 2) matmul_128(real*, float*, const real*, const real*, Epilogue, Product);

// y, or with several parts `partial` [parts, batch, M, N], by tiles of 64 × 64
KERNEL matmul_64(real* y, float* partial, const real* a, const real* b, Epilogue epilogue, Product p) {
    matmul_tile<1, 16>(y, partial, a, b, epilogue, p);
}

// The same by tiles of 128 × 128: half the traffic, for results that are large both ways
KERNEL matmul_128(real* y, float* partial, const real* a, const real* b, Epilogue epilogue, Product p) {
    matmul_tile<2, 8>(y, partial, a, b, epilogue, p);
}

// y of the sums Σ partial [parts, size] over the parts, one thread an element
KERNEL matmul_add(real* y, const float* partial, i64 parts, Epilogue epilogue, i64 n, i64 size) {
    for (i64 e = thread_number(); e < size; e += thread_count()) {
        float sum = 0.f;
        for (i64 part = 0; part < parts; part++) sum += partial[part * size + e];
        finish(y, e / n, e % n, n, sum, epilogue);
    }
}
