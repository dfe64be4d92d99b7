package otherwise.nn;

import otherwise.backend.Backend.Unary;
import otherwise.tensor.Tensor;

/// y = x · weightᵀ + bias: `[*, in]` → `[*, out]`. weight `[out, in]` · bias `[out]`, or `null`.
public record Linear(Tensor weight, Tensor bias) {

    /// With a bias.
    public static Linear load(Weights w, long in, long out) {
        return new Linear(w.tensor("weight", out, in), w.tensor("bias", out));
    }

    /// Without a bias.
    public static Linear loadPlain(Weights w, long in, long out) {
        return new Linear(w.tensor("weight", out, in), null);
    }

    public Tensor forward(Tensor x) {
        return x.linear(weight, bias);
    }

    /// With a function behind it.
    public Tensor forward(Tensor x, Unary activation) {
        return x.linear(weight, bias, activation);
    }
}
