// Matrix products on tensor cores: y = x + gate · f(op(a) · op(b) + bias), as matmul.cu has it. bf16 are multiplied as they are, floats as TF32
// (8 bits of exponent, 10 of fraction), so the latter only where the user asked for it. Sums are in float.
//
// A block makes a tile of y and goes along K in stages of 64 bytes of terms: 32 of bf16, 16 of TF32. Stages lie in a ring in shared memory
// that copies fill while the thread goes on (cp.async): when stage i is computed, the next ones are under way. One barrier a stage says
// both that everybody's copies of the next stage have come and that nobody still reads the place which is filled next.
//
// A warp has a part of the tile as sums of 16 × 8 in registers. In a step, half a stage, it reads the fragments of all its rows and of all
// its columns and multiplies each by each; while tensor cores do so, the fragments of the next step are being read.
//
// Each operand lies in shared memory as in device memory, whichever way that is: a row has the terms of a line (a row of op(a) or a column
// of op(b)), or else the lines of a term, and then fragments are transposed on their way to registers. The 16 bytes of a row are swizzled:
// neither copies nor fragments meet in a bank.
//
//   kernel               tile        warps   of a warp    stages   shared    FLOPs a byte of shared memory   of a and b
//   matmul_tensor_256    128 × 256   8       64 × 64      4        96 KiB    23 (bf16), 12 (TF32)            85, 43
//   matmul_tensor_128    128 × 128   4       64 × 64      3        48 KiB    21         11                   64, 32
//   matmul_tensor_64      64 ×  64   4       32 × 32      4        32 KiB    11          5                   32, 16
//
// Ideal traffic: a and b once, y once (and x once, where it is added to). In fact a comes N / 64 (128, 256) times and b M / 64 (128) times,
// mostly from the second-level cache: blocks that run together make tiles that lie together, GROUP down and as many as there are across.
// kernels/README.md has an example.
//
// What must hold: the dimension along which a matrix lies is a multiple of 16 bytes, and so is its stride from batch to batch. M, N and K
// may otherwise be anything: what is beyond an edge is copied as zero. Rows of y that are whole multiples of 16 bytes are written 16 bytes
// at once, and so is read what the epilogue adds to them and multiplies them by.
// Launch: parts · batch · row tiles · column tiles blocks of 32 threads a warp. K split in parts is added up by matmul_add of matmul.cu.
// Java: backend/cuda/TensorMatmul.java.
#include "epilogue.cuh"
#include "tensor_cores.cuh"

static const int CHUNK = 16 / sizeof(real);  // elements of 16 bytes
static const int DEPTH = 4 * CHUNK;          // terms of a stage, two steps
static const int GROUP = 16;
static const unsigned ONES = sizeof(real) == 4 ? 0x3f800000u : 0x3f803f80u;  // 1, or a pair of them

// The sizes, and where things lie: op(a)[i, k] is a[i · a_row + k · a_term], op(b)[k, j] is b[j · b_column + k · b_term].
struct Product {
    i64 batch, m, n, k;
    i64 a_row, a_term, a_batch;
    i64 b_column, b_term, b_batch;
    i64 row_tiles, column_tiles;
    i64 parts, stretch;  // K in so many parts, of so many terms each
};

// LINES rows of op(a) or columns of op(b), from device memory by shared memory to fragments. A row of shared memory has the terms of a
// line, if they lie together, or else the lines of a term. Places in shared memory are counted in 16 bytes.
template <int LINES, int THREADS, bool ALONG_TERMS>
struct Operand {
    static const int SIZE = LINES * 4;                          // of a stage
    static const int COUNT = SIZE / THREADS;                    // chunks of 16 bytes that a thread copies
    static const int CHUNKS = ALONG_TERMS ? 4 : LINES / CHUNK;  // of a row
    static const int ROWS = THREADS / CHUNKS;                   // that all threads copy at once

    const real* matrix;
    const real* next;  // this thread's first chunk of the next stage
    i64 step;          // from there to its next chunk of the stage
    int term, place;   // the term where the first begins, and where it goes
    unsigned inside;   // bit c: the line of chunk c exists
    int fragment;      // where this lane reads first

    // Floats that lie along the lines are read one by one, four terms of eight lines at once.
    __device__ __forceinline__ static int place_of(int row, int chunk) {
        return sizeof(real) == 4 && !ALONG_TERMS ? row * CHUNKS + (chunk ^ (row & 3) << 1) : swizzled<CHUNKS>(row, chunk);
    }

    // Lines `first` … of `all`, the first term of line 0 at `start`; this thread's warp reads fragments of lines first + warp_line …
    __device__ __forceinline__ Operand(
        const real* matrix, i64 start, i64 first, i64 all, i64 line_stride, i64 term_stride, int warp_line)
        : matrix(matrix) {
        int row = (int) threadIdx.x / CHUNKS, chunk = (int) threadIdx.x % CHUNKS, lane = (int) threadIdx.x % 32;
        int line = ALONG_TERMS ? row : chunk * CHUNK;
        term = ALONG_TERMS ? chunk * CHUNK : row;
        place = place_of(row, chunk);
        next = matrix + start + (first + line) * line_stride + term * term_stride;
        step = ROWS * (ALONG_TERMS ? line_stride : term_stride);
        inside = 0;
        for (int c = 0; c < COUNT; c++) inside |= first + line + (ALONG_TERMS ? c * ROWS : 0) < all ? 1u << c : 0u;
        if (ALONG_TERMS) fragment = place_of(warp_line + lane % 16, lane / 16);
        else if (sizeof(real) == 2) fragment = place_of(lane / 16 * 8 + lane % 8, warp_line / 8 + lane / 8 % 2);
        else fragment = place_of(lane % 4, warp_line / 4 + lane / 16);
    }

    // Begins to copy a stage, with 0 beyond the last line and the last of `left` terms.
    __device__ __forceinline__ void copy(uint4* to, int left) {
        const real* from = next;
#pragma unroll
        for (int c = 0; c < COUNT; c++) {
            bool exist = (inside >> c & 1u) && term + (ALONG_TERMS ? 0 : c * ROWS) < left;
            copy_async(to + place + c * ROWS * CHUNKS, exist ? from : matrix, exist);
            from += step;
        }
        next = ALONG_TERMS ? next + DEPTH : from;
    }

    // The fragments of the warp's lines 16 · block … in one of the two steps of a stage: an operand A, or two of B in r[0], r[2] and
    // r[1], r[3]. What differs from call to call changes other bits of the place than the lane does.
    __device__ __forceinline__ void load(unsigned (&r)[4], const uint4* stage, int block, int half) const {
        if (ALONG_TERMS) {
            load_matrices(r, stage + (fragment ^ half * 2) + block * 64);
        } else if (sizeof(real) == 2) {
            load_matrices_transposed(r, stage + (fragment ^ block * 2) + half * 16 * CHUNKS);
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const uint4* four = stage + (fragment ^ (block * 4 + i % 2 * 2)) + (half * 8 + i / 2 * 4) * CHUNKS;
                r[i] = reinterpret_cast<const unsigned*>(four)[threadIdx.x / 4 % 4];
            }
        }
        if (sizeof(real) == 4) {
#pragma unroll
            for (int i = 0; i < 4; i++) r[i] = tf32(__int_as_float((int) r[i]));
        }
    }
};

// 16 bytes of results.
__device__ __forceinline__ void put_16_bytes(float* to, const float* v) {
    const int bits[4] = {__float_as_int(v[0]), __float_as_int(v[1]), __float_as_int(v[2]), __float_as_int(v[3])};
    store_16_bytes(to, (unsigned) bits[0], (unsigned) bits[1], (unsigned) bits[2], (unsigned) bits[3]);
}

__device__ __forceinline__ void put_16_bytes(bf16* to, const float* v) {
    store_16_bytes(to, bf16_pair(v[0], v[1]), bf16_pair(v[2], v[3]), bf16_pair(v[4], v[5]), bf16_pair(v[6], v[7]));
}

// 16 bytes as they lie, from place c of `from` on; `instead` four times if there is no `from`.
__device__ __forceinline__ uint4 words_of(const real* from, i64 c, unsigned instead) {
    uint4 words = {instead, instead, instead, instead};
    if (from != nullptr) words = *reinterpret_cast<const uint4*>(from + c);
    return words;
}

// Element i of them.
__device__ __forceinline__ float element(const uint4& words, int i) {
    unsigned word = (&words.x)[i * sizeof(real) / 4];
    if (sizeof(real) == 4) return __int_as_float((int) word);
    return i % 2 == 0 ? low_of(word) : high_of(word);
}

// The sums `from` as a chunk of row `line` of y, the rows of all batches counted, from column c on; as they are to `partial`, if given.
__device__ __forceinline__ void store_chunk(
    real* y, float* partial, const float* from, i64 line, i64 c, const Epilogue& epilogue, i64 n) {
    i64 e = line * n + c;
    if (n % CHUNK != 0) {
#pragma unroll 1
        for (int i = 0; i < CHUNK && c + i < n; i++) {
            if (partial != nullptr) partial[e + i] = from[i];
            else finish(y, line, c + i, n, from[i], epilogue);
        }
        return;
    }
    float v[CHUNK];
#pragma unroll
    for (int i = 0; i < CHUNK; i += 4) {
        float4 four = *reinterpret_cast<const float4*>(from + i);
        v[i] = four.x, v[i + 1] = four.y, v[i + 2] = four.z, v[i + 3] = four.w;
    }
    if (partial != nullptr) {
#pragma unroll
        for (int i = 0; i < CHUNK; i += 4) put_16_bytes(partial + e + i, v + i);
        return;
    }
    // As they lie, so that all are on their way before the first is looked at.
    uint4 x = words_of(epilogue.x, e, 0u);
    uint4 bias = words_of(epilogue.bias, c, 0u);
    uint4 gate = words_of(gate_of(line, n, epilogue), c, ONES);
#pragma unroll
    for (int i = 0; i < CHUNK; i++) v[i] += element(bias, i);
    if (epilogue.sums != nullptr) put_16_bytes(epilogue.sums + e, v);
#pragma unroll
    for (int i = 0; i < CHUNK; i++) v[i] = fmaf(element(gate, i), function_of(v[i], epilogue), element(x, i));
    put_16_bytes(y + e, v);
}

// The sums of a warp: ROWS × COLUMNS of its block's tile.
template <int ROWS, int COLUMNS>
struct Sums {
    static const int PITCH = COLUMNS + 8;  // of a row in shared memory: eight rows of pairs fall on different banks
    static const int SLAB = 16 * PITCH;    // floats of shared memory in which a warp turns 16 rows round

    float sums[ROWS / 16][COLUMNS / 8][4];

    __device__ __forceinline__ void add(const unsigned (&a)[ROWS / 16][4], const unsigned (&b)[COLUMNS / 16][4]) {
#pragma unroll
        for (int i = 0; i < ROWS / 16; i++) {
#pragma unroll
            for (int j = 0; j < COLUMNS / 8; j++) {
                // There and back: neighbours have a fragment in common.
                int column = i % 2 == 0 ? j : COLUMNS / 8 - 1 - j;
                const unsigned pair[2] = {b[column / 2][column % 2], b[column / 2][column % 2 + 2]};
                if (sizeof(real) == 2) mma_bf16(sums[i][column], a[i], pair);
                else mma_tf32(sums[i][column], a[i], pair);
            }
        }
    }

    // Rows `row` … and columns `column` … of y to device memory, by `slab`, which is this warp's alone. Row 0 of this matrix of the batch
    // is row `first_line` of all; `partial`, if given, takes the sums as they are.
    __device__ __forceinline__ void store(
        real* y, float* partial, float* slab, i64 first_line, i64 row, i64 column, const Epilogue& epilogue, const Product& p) {
        const int WIDTH = COLUMNS / CHUNK;  // of a row, in chunks
        int lane = (int) threadIdx.x % 32;
#pragma unroll
        for (int i = 0; i < ROWS / 16; i++) {
            __syncwarp();
#pragma unroll
            for (int j = 0; j < COLUMNS / 8; j++) {
                float* to = slab + lane / 4 * PITCH + j * 8 + lane % 4 * 2;
                to[0] = sums[i][j][0];
                to[1] = sums[i][j][1];
                to[8 * PITCH] = sums[i][j][2];
                to[8 * PITCH + 1] = sums[i][j][3];
            }
            __syncwarp();
#pragma unroll 1
            for (int e = lane; e < 16 * WIDTH; e += 32) {
                i64 r = row + i * 16 + e / WIDTH, c = column + e % WIDTH * CHUNK;
                if (r < p.m && c < p.n) {
                    store_chunk(y, partial, slab + e / WIDTH * PITCH + e % WIDTH * CHUNK, first_line + r, c, epilogue, p.n);
                }
            }
        }
    }
};

// A tile of ROWS × COLUMNS by warps of WARP_ROWS × WARP_COLUMNS each.
template <int ROWS, int COLUMNS, int WARP_ROWS, int WARP_COLUMNS, int STAGES>
struct Tile {
    static const int ACROSS = COLUMNS / WARP_COLUMNS;
    static const int THREADS = 32 * ROWS / WARP_ROWS * ACROSS;

    i64 batch, part;
    i64 row, column;  // of the tile
    int warp_row, warp_column;
    Sums<WARP_ROWS, WARP_COLUMNS> sums;

    // Tiles go in groups of GROUP rows of them, down first.
    __device__ __forceinline__ explicit Tile(const Product& p) : sums() {
        i64 tiles = p.row_tiles * p.column_tiles, tile = blockIdx.x % tiles, rest = blockIdx.x / tiles;
        batch = rest % p.batch;
        part = rest / p.batch;
        i64 top = tile / (GROUP * p.column_tiles) * GROUP, in_group = tile - top * p.column_tiles;
        i64 height = min((i64) GROUP, p.row_tiles - top);
        row = (top + in_group % height) * ROWS;
        column = in_group / height * COLUMNS;
        int warp = (int) threadIdx.x / 32;
        warp_row = warp / ACROSS * WARP_ROWS;
        warp_column = warp % ACROSS * WARP_COLUMNS;
    }

    // Adds the products of this part's terms. At the end nothing of `shared` is in use.
    template <bool A_TERMS, bool B_TERMS>
    __device__ __forceinline__ void multiply(const real* a_matrix, const real* b_matrix, uint4* shared, const Product& p) {
        typedef Operand<ROWS, THREADS, A_TERMS> A;
        typedef Operand<COLUMNS, THREADS, B_TERMS> B;
        const int STAGE = A::SIZE + B::SIZE;
        i64 from = part * p.stretch;
        int left = (int) min(p.stretch, p.k - from);
        A a(a_matrix, batch * p.a_batch + from * p.a_term, row, p.m, p.a_row, p.a_term, warp_row);
        B b(b_matrix, batch * p.b_batch + from * p.b_term, column, p.n, p.b_column, p.b_term, warp_column);
        unsigned u[2][WARP_ROWS / 16][4], v[2][WARP_COLUMNS / 16][4];  // fragments of a step, and of the next one

        auto copy = [&](int stage, int terms) {
            a.copy(shared + stage * STAGE, terms);
            b.copy(shared + stage * STAGE + A::SIZE, terms);
            copies_end();
        };
        auto load = [&](int stage, int half) {
#pragma unroll
            for (int i = 0; i < WARP_ROWS / 16; i++) a.load(u[half][i], shared + stage * STAGE, i, half);
#pragma unroll
            for (int i = 0; i < WARP_COLUMNS / 16; i++) b.load(v[half][i], shared + stage * STAGE + A::SIZE, i, half);
        };

#pragma unroll 1
        for (int s = 0; s < STAGES - 1; s++) copy(s, left - s * DEPTH);
        copies_wait<STAGES - 2>();
        __syncthreads();
        load(0, 0);
        int stage = 0;
#pragma unroll 1
        for (; left > 0; left -= DEPTH) {
            load(stage, 1);
            copy(stage == 0 ? STAGES - 1 : stage - 1, left - (STAGES - 1) * DEPTH);
            sums.add(u[0], v[0]);
            stage = stage + 1 == STAGES ? 0 : stage + 1;
            copies_wait<STAGES - 2>();
            __syncthreads();
            load(stage, 0);  // after the last stage, zeros
            sums.add(u[1], v[1]);
        }
        copies_wait<0>();
        __syncthreads();
    }
};

template <int ROWS, int COLUMNS, int WARP_ROWS, int WARP_COLUMNS, int STAGES>
__device__ __forceinline__ void matmul_tile(
    real* y, float* partial, const real* a, const real* b, const Epilogue& epilogue, const Product& p) {
    DYNAMIC_SHARED(uint4, shared);
    Tile<ROWS, COLUMNS, WARP_ROWS, WARP_COLUMNS, STAGES> tile(p);
    bool a_terms = p.a_term == 1, b_terms = p.b_term == 1;
    if (a_terms && b_terms) tile.template multiply<true, true>(a, b, shared, p);
    else if (a_terms) tile.template multiply<true, false>(a, b, shared, p);
    else if (b_terms) tile.template multiply<false, true>(a, b, shared, p);
    else tile.template multiply<false, false>(a, b, shared, p);
    float* slab = reinterpret_cast<float*>(shared) + threadIdx.x / 32 * Sums<WARP_ROWS, WARP_COLUMNS>::SLAB;
    i64 first_line = ((partial != nullptr ? tile.part * p.batch : 0) + tile.batch) * p.m;
    tile.sums.store(y, partial, slab, first_line, tile.row + tile.warp_row, tile.column + tile.warp_column, epilogue, p);
}

// Registers for at least so many blocks on a multiprocessor.
extern "C" __global__ void __launch_bounds__(128, 4)
    matmul_tensor_64(real*, float*, const real*, const real*, Epilogue, Product);
extern "C" __global__ void __launch_bounds__(128, 2)
    matmul_tensor_128(real*, float*, const real*, const real*, Epilogue, Product);
extern "C" __global__ void __launch_bounds__(256, 1)
    matmul_tensor_256(real*, float*, const real*, const real*, Epilogue, Product);

// y, or with several parts `partial` [parts, batch, M, N], by tiles of 64 × 64: for results that have few
KERNEL matmul_tensor_64(real* y, float* partial, const real* a, const real* b, Epilogue epilogue, Product p) {
    matmul_tile<64, 64, 32, 32, 4>(y, partial, a, b, epilogue, p);
}

// The same by tiles of 128 × 128
KERNEL matmul_tensor_128(real* y, float* partial, const real* a, const real* b, Epilogue epilogue, Product p) {
    matmul_tile<128, 128, 64, 64, 3>(y, partial, a, b, epilogue, p);
}

// The same by tiles of 128 × 256: for results that have many
KERNEL matmul_tensor_256(real* y, float* partial, const real* a, const real* b, Epilogue epilogue, Product p) {
    matmul_tile<128, 256, 64, 64, 4>(y, partial, a, b, epilogue, p);
}
