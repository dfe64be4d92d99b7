package otherwise.tensor;

import java.util.Arrays;
import java.util.List;
import otherwise.backend.Shape;
import otherwise.backend.ShapeException;

/// Axes in another order.
record Permute(Tensor x, int[] axes) implements Op {

    static Tensor forward(Tensor x, int... axes) {
        var sorted = axes.clone();
        Arrays.sort(sorted);
        for (int i = 0; i < sorted.length; i++) {
            if (sorted.length != x.rank() || sorted[i] != i) {
                throw new ShapeException("permute: " + Arrays.toString(axes) + " is no order of the axes of " + x.shape());
            }
        }
        var from = x.shape().strides();
        var dims = new long[axes.length];
        var strides = new long[axes.length];
        for (int i = 0; i < axes.length; i++) {
            dims[i] = x.dim(axes[i]);
            strides[i] = from[axes[i]];
        }
        var shape = Shape.of(dims);
        var y = Tensor.of(x.backend(), x.backend().allocate(x.type(), x.size()), shape);
        x.backend().copy(y.data(), 0, shape.strides(), x.data(), 0, strides, dims);
        return y.madeBy(new Permute(x, axes));
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
        var inverse = new int[axes.length];
        for (int i = 0; i < axes.length; i++) inverse[axes[i]] = i;
        flow.into(x, () -> dy.permute(inverse));
    }
}
