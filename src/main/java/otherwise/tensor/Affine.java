package otherwise.tensor;

import java.util.List;

/// y = x · scale + offset, with constants.
record Affine(Tensor x, double scale) implements Op {

    static Tensor forward(Tensor x, double scale, double offset) {
        var y = x.blankLike();
        x.backend().affine(y.data(), x.data(), scale, offset);
        return y.madeBy(new Affine(x, scale));
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
        flow.into(x, () -> scale == 1 ? dy : dy.times(scale));
    }
}
