package otherwise.tensor;

import java.util.List;
import otherwise.backend.Shape;

/// Nearest-neighbour enlargement of the last two axes by two.
record Upsample2x(Tensor x) implements Op {

    static Tensor forward(Tensor x) {
        var d = Dims.of("upsample2x", "* H W", x);
        var y = Tensor.blank(x.backend(), enlarged(x.shape()));
        x.backend().upsample2x(y.data(), x.data(), d.get("*"), d.get("H"), d.get("W"));
        return y.madeBy(new Upsample2x(x));
    }

    private static Shape enlarged(Shape s) {
        return s.with(-2, 2 * s.dim(-2)).with(-1, 2 * s.dim(-1));
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
        flow.into(x, () -> {
            var dx = x.blankLike();
            x.backend().upsample2xBackward(dx.data(), dy.data(), x.size() / (x.dim(-1) * x.dim(-2)), x.dim(-2), x.dim(-1));
            return dx;
        });
    }
}
