package otherwise.models.wan;

import otherwise.tensor.Tensor;

/// Shift, scale and gate: how the time bends one branch of a block (adaLN-Zero, Peebles & Xie 2023). Each `[B, 1, C]`.
record Modulation(Tensor shift, Tensor scale, Tensor gate) {

    /// On the way into the branch: norm(x) · (1 + scale) + shift, x `[B, L, C]`
    Tensor open(Tensor x, double eps) {
        return x.modulatedNorm(scale, shift, eps);
    }

    /// On the way out: x + gate · y, with y what the branch made of x, both `[B, L, C]`
    Tensor close(Tensor x, Tensor y) {
        return x.addGated(gate, y);
    }
}
