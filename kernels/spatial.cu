// Rotary position embedding, and doubling of pictures.
//
// One thread a pair (rope) or a pixel of the larger picture (upsample), grid-stride, blocks of 256. Ideal traffic: every operand once.
// Java: backend/cuda/Spatial.java, tensor/Rope.java, tensor/Upsample2x.java.
#include "common.cuh"

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

// x [planes, H, W] -> y [planes, 2H, 2W], every pixel four times; n elements of y
KERNEL upsample2x(real* y, const real* x, i64 h, i64 w, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) {
        i64 column = i % (2 * w), row = i / (2 * w) % (2 * h), plane = i / (4 * w * h);
        y[i] = x[(plane * h + row / 2) * w + column / 2];
    }
}

// dx [planes, H, W] = the sum of the four pixels of dy [planes, 2H, 2W]; n elements of dx
KERNEL upsample2x_backward(real* dx, const real* dy, i64 w, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) {
        i64 column = i % w, row = i / w;
        i64 from = 4 * w * row + 2 * column;
        put(dx + i, (at(dy, from) + at(dy, from + 1)) + (at(dy, from + 2 * w) + at(dy, from + 2 * w + 1)));
    }
}
