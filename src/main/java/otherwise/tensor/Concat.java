package otherwise.tensor;

import java.util.List;
import otherwise.backend.ShapeException;

/// Tensors one behind the other along an axis.
record Concat(List<Tensor> parts, int axis) implements Op {

    static Tensor forward(List<Tensor> parts, int axis) {
        var first = parts.getFirst();
        long total = 0;
        for (var p : parts) {
            if (p.rank() != first.rank() || !p.shape().with(axis, 1).equals(first.shape().with(axis, 1)) || p.type() != first.type()) {
                throw new ShapeException("concat: " + first + " and " + p + " differ beside axis " + axis);
            }
            total += p.dim(axis);
        }
        var shape = first.shape().with(axis, total);
        var y = Tensor.of(first.backend(), first.backend().allocate(first.type(), shape.size()), shape);
        long at = 0;
        long inner = shape.product(axis + 1, shape.rank());
        for (var p : parts) {
            y.backend().copy(y.data(), at * inner, shape.strides(), p.data(), 0, p.shape().strides(), p.shape().dims());
            at += p.dim(axis);
        }
        return y.madeBy(new Concat(List.copyOf(parts), axis));
    }

    @Override
    public List<Tensor> inputs() {
        return parts;
    }

    @Override
    public List<Tensor> saved() {
        return List.of();
    }

    @Override
    public void backward(Tensor dy, Flow flow) {
        long at = 0;
        for (var p : parts) {
            long from = at;
            flow.into(p, () -> dy.slice(axis, from, from + p.dim(axis)));
            at += p.dim(axis);
        }
    }
}
