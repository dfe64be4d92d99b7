package otherwise.nn;

import otherwise.tensor.Tensor;

/// Divides `[*, C]` by the root mean square of its last axis, then · weight `[C]`.
public record RmsNorm(Tensor weight, double eps) {

    public static RmsNorm load(Weights w, long c, double eps) {
        return new RmsNorm(w.tensor("weight", c), eps);
    }

    public Tensor forward(Tensor x) {
        return x.rmsNorm(weight, eps);
    }
}
