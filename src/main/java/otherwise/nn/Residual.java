package otherwise.nn;

import otherwise.tensor.Tensor;

/// What a branch of a network goes into: x + gate · h, with h the result of the linear layer in which the branch ends.
///
/// x `[B, L, C]` · gate `[B, 1, C]`, or `null` for the sum alone.
public record Residual(Tensor x, Tensor gate) {

    /// x + h
    public static Residual of(Tensor x) {
        return new Residual(x, null);
    }

    /// x + gate · last(a), a `[B, L, K]` → `[B, L, C]`. last(a) by itself does not exist: it is shown as the result of the layer at hand to who
    /// listens, and computed for that alone.
    public Tensor add(Linear last, Tensor a) {
        Trace.note(() -> last.forward(a));
        return x.addLinear(gate, a, last.weight(), last.bias());
    }
}
