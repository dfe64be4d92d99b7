package otherwise.tensor;

import java.util.List;

/// y = x − log Σ exp(x) over the last axis; y is kept.
record LogSoftmax(Tensor x, Tensor y) implements Op {

    static Tensor forward(Tensor x) {
        var d = Dims.of("log_softmax", "* C", x);
        var y = x.blankLike();
        x.backend().logSoftmax(y.data(), x.data(), d.get("*"), d.get("C"));
        return y.madeBy(new LogSoftmax(x, y));
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(x);
    }

    @Override
    public List<Tensor> saved() {
        return List.of(y);
    }

    /// dx = dy − exp(y) · Σ dy
    @Override
    public void backward(Tensor dy, Flow flow) {
        flow.into(x, () -> {
            var dx = x.blankLike();
            x.backend().logSoftmaxBackward(dx.data(), dy.data(), y.data(), x.size() / x.dim(-1), x.dim(-1));
            return dx;
        });
    }
}
