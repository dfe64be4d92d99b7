// A product of one warp by every way that kernels/tensor_cores.cuh offers, and what no device would let pass.
#include "tensor_cores.cuh"

// y [16, 8] = a [16, 16] · b: as bf16, by fragments that are read from shared memory. b is [16, 8], or [8, 16] if by_columns.
KERNEL product_bf16(float* y, const float* a, const float* b, int by_columns) {
    DYNAMIC_SHARED(uint4, shared);
    bf16* a_rows = reinterpret_cast<bf16*>(shared);        // [16, 16], rows padded to 24
    bf16* b_rows = reinterpret_cast<bf16*>(shared + 48);   // [16, 8], or [8, 16], rows padded to 24
    int lane = (int) threadIdx.x, g = lane / 4, t = lane % 4;
    for (int i = lane; i < 256; i += 32) a_rows[i / 16 * 24 + i % 16] = to_bf16(a[i]);
    int width = by_columns ? 16 : 8;
    for (int i = lane; i < 128; i += 32) b_rows[i / width * 24 + i % width] = to_bf16(b[i]);
    __syncthreads();
    unsigned fa[4], fb[4];
    load_matrices(fa, a_rows + lane % 16 * 24 + lane / 16 * 8);
    if (by_columns) load_matrices(fb, b_rows + lane % 8 * 24 + lane / 8 % 2 * 8);
    else load_matrices_transposed(fb, b_rows + lane % 16 * 24);
    unsigned pair[2] = {fb[0], fb[1]};
    float d[4] = {};
    mma_bf16(d, fa, pair);
    for (int i = 0; i < 4; i++) y[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = d[i];
}

// y [16, 8] = a [16, 8] · b [8, 8], by fragments straight from device memory
KERNEL product_tf32(float* y, const float* a, const float* b) {
    int lane = (int) threadIdx.x, g = lane / 4, t = lane % 4;
    unsigned fa[4], fb[2];
    for (int i = 0; i < 4; i++) fa[i] = tf32(a[(g + i % 2 * 8) * 8 + t + i / 2 * 4]);
    for (int i = 0; i < 2; i++) fb[i] = tf32(b[(t + i * 4) * 8 + g]);
    float d[4] = {};
    mma_tf32(d, fa, fb);
    for (int i = 0; i < 4; i++) y[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = d[i];
}

// y [count] = x, by copies of 16 bytes, in two groups, zeros beyond `count` (a multiple of 4); reads the first before the second came
KERNEL copies(float* y, const float* x, int count, int forget) {
    DYNAMIC_SHARED(float, shared);
    int i = (int) threadIdx.x * 4;
    copy_async(shared + i, i < count ? x + i : x, i < count);
    copies_end();
    copy_async(shared + 128 + i, x, false);
    copies_end();
    if (!forget) copies_wait<1>();
    __syncthreads();
    int other = (i + 68) % 128;
    for (int j = 0; j < 4; j++) y[other + j] = shared[other + j];
    copies_wait<0>();
    __syncthreads();
    for (int j = 0; j < 4; j++) y[128 + other + j] = shared[128 + other + j];
}

KERNEL misaligned_row(float* y) {
    DYNAMIC_SHARED(bf16, shared);
    for (int i = (int) threadIdx.x; i < 300; i += 32) shared[i] = to_bf16(1.f);
    __syncthreads();
    unsigned r[4];
    load_matrices(r, shared + threadIdx.x * 8 + 1);
    y[threadIdx.x] = (float) r[0];
}

KERNEL half_a_warp_multiplies(float* y) {
    unsigned a[4] = {}, b[2] = {};
    float d[4] = {};
    if (threadIdx.x < 16) mma_bf16(d, a, b);
    y[threadIdx.x] = d[0];
}

// y [32] = which quarter of 128 bytes row i of 8 has its `chunk` in: the eight rows of a load are in eight different ones
KERNEL places(float* y, int chunk) {
    int i = (int) threadIdx.x;
    y[i] = (float) (i < 16 ? swizzled<4>(i, chunk % 4) : swizzled<8>(i - 16, chunk));
}
