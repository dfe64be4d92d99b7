package otherwise.tensor;

import java.util.List;
import otherwise.backend.Backend.Reduction;

/// The sum over one axis, which stays with size 1. On the way back, the gradient repeats along it.
record Sum(Tensor x) implements Op {

    static Tensor forward(Tensor x, int axis) {
        var y = Tensor.blank(x.backend(), x.shape().with(axis, 1));
        long outer = x.shape().product(0, axis);
        long inner = x.shape().product(axis + 1, x.rank());
        x.backend().reduce(Reduction.SUM, y.data(), x.data(), outer, x.dim(axis), inner);
        return y.madeBy(new Sum(x));
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(x);
    }

    @Override
    public List<Tensor> saved() {
        return List.of();
    }

    @Override
    public void backward(Tensor dy, Flow flow) {
        flow.into(x, () -> dy.expand(x.shape().dims()));
    }
}
