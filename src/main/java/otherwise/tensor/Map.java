package otherwise.tensor;

import java.util.List;
import otherwise.backend.Backend.Unary;

/// y = f(x), element by element.
record Map(Unary f, Tensor x) implements Op {

    static Tensor forward(Unary f, Tensor x) {
        var y = x.blankLike();
        x.backend().unary(f, y.data(), x.data());
        return y.madeBy(new Map(f, x));
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(x);
    }

    @Override
    public List<Tensor> saved() {
        return List.of(x);
    }

    /// dx = dy · f′(x)
    @Override
    public void backward(Tensor dy, Flow flow) {
        flow.into(x, () -> {
            var dx = x.blankLike();
            x.backend().unaryBackward(f, dx.data(), dy.data(), x.data());
            return dx;
        });
    }
}
