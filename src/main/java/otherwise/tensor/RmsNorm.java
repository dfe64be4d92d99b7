package otherwise.tensor;

import java.util.List;

/// Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019).
///
///     y = x · r · w        r = 1 / √(mean(x²) + ε)
///
/// x, y `[*, C]` · w `[C]` or `null` · r `[*]`, kept for the way back.
record RmsNorm(Tensor x, Tensor w, Tensor r) implements Op {

    static Tensor forward(Tensor x, Tensor w, double eps) {
        var d = Dims.of("rms_norm", "* C", x).and("C", w);
        var y = x.blankLike();
        var r = x.statistics(d.get("*"));
        x.backend().rmsNorm(y.data(), r.data(), x.data(), w == null ? null : w.data(), eps, d.get("*"), d.get("C"));
        return y.madeBy(new RmsNorm(x, w, r));
    }

    @Override
    public List<Tensor> inputs() {
        return w == null ? List.of(x) : List.of(x, w);
    }

    @Override
    public List<Tensor> saved() {
        return w == null ? List.of(x, r) : List.of(x, w, r);
    }

    ///     dx = r · (dy·w − x · r² · mean(dy·w·x))        dw = Σ over rows of dy · x · r
    @Override
    public void backward(Tensor dy, Flow flow) {
        var dx = flow.wants(x) ? x.blankLike() : null;
        var dw = w != null && flow.wants(w) ? w.blankLike() : null;
        long c = x.dim(-1);
        x.backend().rmsNormBackward(
                dx == null ? null : dx.data(),
                dw == null ? null : dw.data(),
                dy.data(),
                x.data(),
                r.data(),
                w == null ? null : w.data(),
                x.size() / c,
                c);
        if (dx != null) flow.into(x, () -> dx);
        if (dw != null) flow.into(w, () -> dw);
    }
}
