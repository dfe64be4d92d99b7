package otherwise.tensor;

import java.util.List;

/// y = exp(x) / Σ exp(x) over the last axis; y is kept.
record Softmax(Tensor x, Tensor y) implements Op {

    static Tensor forward(Tensor x) {
        var d = Dims.of("softmax", "* C", x);
        var y = x.blankLike();
        x.backend().softmax(y.data(), x.data(), d.get("*"), d.get("C"));
        return y.madeBy(new Softmax(x, y));
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(x);
    }

    @Override
    public List<Tensor> saved() {
        return List.of(y);
    }

    /// dx = y · (dy − Σ dy·y)
    @Override
    public void backward(Tensor dy, Flow flow) {
        flow.into(x, () -> {
            var dx = x.blankLike();
            x.backend().softmaxBackward(dx.data(), dy.data(), y.data(), x.size() / x.dim(-1), x.dim(-1));
            return dx;
        });
    }
}
