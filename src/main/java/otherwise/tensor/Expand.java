package otherwise.tensor;

import java.util.List;
import otherwise.backend.Shape;
import otherwise.backend.ShapeException;

/// Repetition along axes of size 1; the reverse of a sum.
record Expand(Tensor x) implements Op {

    static Tensor forward(Tensor x, Shape shape) {
        if (shape.equals(x.shape())) return x;
        if (!Shape.broadcast("expand", x.shape(), shape).equals(shape)) {
            throw new ShapeException("expand: " + x.shape() + " does not repeat to " + shape);
        }
        var y = Tensor.blank(x.backend(), shape);
        x.backend().copy(y.data(), 0, shape.strides(), x.data(), 0, x.shape().stridesAs(shape), shape.dims());
        return y.madeBy(new Expand(x));
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
        flow.into(x, () -> dy.sumTo(x.shape()));
    }
}
