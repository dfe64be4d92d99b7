package otherwise.nn;

import otherwise.tensor.Tensor;

/// Normalises `[*, C]` over its last axis to mean 0 and variance 1, then · weight + bias, both `[C]`.
public record LayerNorm(Tensor weight, Tensor bias, double eps) {

    public static LayerNorm load(Weights w, long c, double eps) {
        return new LayerNorm(w.tensor("weight", c), w.tensor("bias", c), eps);
    }

    public Tensor forward(Tensor x) {
        return x.layerNorm(weight, bias, eps);
    }
}
