package otherwise.models.wan;

import otherwise.tensor.Tensor;

/// Shift, scale and gate: how the time bends one branch of a block (adaLN-Zero, Peebles & Xie 2023). Each `[B, 1, C]`.
record Modulation(Tensor shift, Tensor scale, Tensor gate) {

    /// On the way into the branch: x · (1 + scale) + shift
    Tensor open(Tensor x) {
        return x.mul(scale.plus(1)).add(shift);
    }

    /// On the way out: y · gate
    Tensor close(Tensor y) {
        return y.mul(gate);
    }
}
