package otherwise.tensor;

import java.util.List;
import otherwise.backend.ShapeException;

/// Zeros before and after along one axis; the reverse of a slice.
record Pad(Tensor x, int axis, long before) implements Op {

    static Tensor forward(Tensor x, int axis, long before, long after) {
        if (before < 0 || after < 0)
            throw new ShapeException("pad: " + before + " and " + after + " along axis " + axis + " of " + x.shape());
        var shape = x.shape().with(axis, before + x.dim(axis) + after);
        var y = Tensor.blank(x.backend(), shape);
        x.backend().fill(y.data(), 0);
        long inner = shape.product(axis + 1, shape.rank());
        x.backend().copy(y.data(), before * inner, shape.strides(), x.data(), 0, x.shape().strides(), x.shape().dims());
        return y.madeBy(new Pad(x, axis, before));
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
        flow.into(x, () -> dy.slice(axis, before, before + x.dim(axis)));
    }
}
