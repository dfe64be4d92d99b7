// Rotary position embedding, and doubling of pictures.
//
// One thread a pair (rope) or a pack of pixels of the smaller picture (upsample, packs.cuh), grid-stride, blocks of 256. Ideal traffic: every
// operand once. Java: backend/cuda/Spatial.java, tensor/Rope.java, tensor/Upsample2x.java.
#include "packs.cuh"

// y₀ = x₀·cos − x₁·sin, y₁ = x₀·sin + x₁·cos for the adjacent pairs of x [batch, length, heads, width]; cos, sin [length, width/2]. `turn` = −1
// turns the other way, which is also the gradient. y may be x.
KERNEL rope(real* y, const real* x, const real* cosine, const real* sine, float turn, i64 length, i64 heads, i64 pairs, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) {
        i64 pair = i % pairs;
        i64 token = i / pairs / heads % length;
        float c = at(cosine, token * pairs + pair), s = turn * at(sine, token * pairs + pair);
        float x0 = at(x, 2 * i), x1 = at(x, 2 * i + 1);
        put(y + 2 * i, x0 * c - x1 * s);
        put(y + 2 * i + 1, x0 * s + x1 * c);
    }
}

// x [planes, H, W] -> y [planes, 2H, 2W], every pixel four times; n pixels of x
KERNEL upsample2x(real* y, const real* x, i64 w, i64 n, int pack) {
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        each_pack<N>(n, [&](i64 e) {
            auto v = load<N>(x + e);
            real* above = y + 4 * w * (e / w) + 2 * (e % w);
            real* below = above + 2 * w;
            store<N>(above, [&](int k) { return v[k / 2]; });
            store<N>(above + N, [&](int k) { return v[(N + k) / 2]; });
            store<N>(below, [&](int k) { return v[k / 2]; });
            store<N>(below + N, [&](int k) { return v[(N + k) / 2]; });
        });
    });
}

// dx [planes, H, W] = the sum of the four pixels of dy [planes, 2H, 2W]; n pixels of dx
KERNEL upsample2x_backward(real* dx, const real* dy, i64 w, i64 n, int pack) {
    with_packs(pack, [&](auto size) {
        constexpr int N = size;
        each_pack<N>(n, [&](i64 e) {
            const real* above = dy + 4 * w * (e / w) + 2 * (e % w);
            const real* below = above + 2 * w;
            Pack<real, N> a[2] = {load<N>(above), load<N>(above + N)}, b[2] = {load<N>(below), load<N>(below + N)};
            store<N>(dx + e, [&](int k) {
                int left = 2 * k, right = 2 * k + 1;
                return (a[left / N][left % N] + a[right / N][right % N]) + (b[left / N][left % N] + b[right / N][right % N]);
            });
        });
    });
}
