package otherwise.tensor;

import java.util.List;
import otherwise.backend.Shape;
import otherwise.backend.ShapeException;

/// The same elements with other sizes, in the same memory.
record Reshape(Tensor x) implements Op {

    static Tensor forward(Tensor x, long... dims) {
        var sizes = dims.clone();
        int open = -1;
        long known = 1;
        for (int i = 0; i < sizes.length; i++) {
            if (sizes[i] != -1) known *= sizes[i];
            else if (open >= 0) throw new ShapeException("reshape: two open sizes in " + java.util.Arrays.toString(dims));
            else open = i;
        }
        if (open >= 0) sizes[open] = known == 0 ? 0 : x.size() / known;
        var shape = Shape.of(sizes);
        if (shape.size() != x.size()) throw new ShapeException("reshape: " + x.shape() + " does not fit " + shape);
        if (shape.equals(x.shape())) return x;
        return Tensor.of(x.backend(), x.data(), shape).madeBy(new Reshape(x));
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
        flow.into(x, () -> dy.reshape(x.shape().dims()));
    }
}
