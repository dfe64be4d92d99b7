package otherwise.tensor;

import java.util.List;
import otherwise.backend.ShapeException;

/// A part of one axis. A part of the first axis shares memory with the whole.
record Slice(Tensor x, int axis, long from, long to) implements Op {

    static Tensor forward(Tensor x, int axis, long from, long to) {
        if (from < 0 || to < from || to > x.dim(axis)) {
            throw new ShapeException("slice: no positions " + from + " to " + to + " along axis " + axis + " of " + x.shape());
        }
        if (from == 0 && to == x.dim(axis)) return x;
        var shape = x.shape().with(axis, to - from);
        long inner = x.shape().product(axis + 1, x.rank());
        Tensor y;
        if (x.shape().product(0, axis) == 1) {
            y = Tensor.of(x.backend(), x.data().slice(from * inner, shape.size()), shape);
        } else {
            y = Tensor.of(x.backend(), x.backend().allocate(x.type(), shape.size()), shape);
            x.backend().copy(y.data(), 0, shape.strides(), x.data(), from * inner, x.shape().strides(), shape.dims());
        }
        return y.madeBy(new Slice(x, axis, from, to));
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
        flow.into(x, () -> dy.pad(axis, from, x.dim(axis) - to));
    }
}
