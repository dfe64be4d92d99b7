package otherwise.tensor;

import java.util.List;
import otherwise.backend.DType;
import otherwise.backend.ShapeException;

/// Rows in the order of an index; negative entries give zeros. One op for embeddings, window partitions, rolls and paddings: on the way
/// back, each row's gradient is added where the row came from.
record GatherRows(Tensor x, Tensor index) implements Op {

    static Tensor forward(Tensor x, Tensor index) {
        var d = Dims.of("gather_rows", "R C", x);
        if (index.type() != DType.I64) throw new ShapeException("gather_rows: the index is " + index + ", not i64");
        var y = x.blank(index.size(), d.get("C"));
        x.backend().gatherRows(y.data(), x.data(), index.data(), index.size(), d.get("C"));
        return y.madeBy(new GatherRows(x, index));
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(x);
    }

    @Override
    public List<Tensor> saved() {
        return List.of(index);
    }

    @Override
    public void backward(Tensor dy, Flow flow) {
        flow.into(x, () -> {
            var dx = x.blankLike();
            x.backend().scatterAddRows(dx.data(), dy.data(), index.data(), index.size(), x.dim(0), x.dim(1));
            return dx;
        });
    }
}
