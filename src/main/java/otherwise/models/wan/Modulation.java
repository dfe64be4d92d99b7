package otherwise.models.wan;

import otherwise.nn.Residual;
import otherwise.tensor.Tensor;

/// Shift, scale and gate: how the time bends one branch of a block (adaLN-Zero, Peebles & Xie 2023). Each `[B, 1, C]`.
record Modulation(Tensor shift, Tensor scale, Tensor gate) {

    /// On the way into the branch: norm(x) · (1 + scale) + shift, x `[B, L, C]`
    Tensor open(Tensor x, double eps) {
        return x.modulatedNorm(scale, shift, eps);
    }

    /// On the way out: what the branch makes goes through the gate into x `[B, L, C]`
    Residual into(Tensor x) {
        return new Residual(x, gate);
    }
}
