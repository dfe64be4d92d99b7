package otherwise.tensor;

import java.util.ArrayList;
import java.util.List;

/// Layer normalisation over the last axis (Ba et al. 2016).
///
///     y = (x − mean) · rstd · w + b        rstd = 1 / √(variance + ε)
///
/// x, y `[*, C]` · w, b `[C]` or `null` · mean, rstd `[*]`, kept for the way back.
record LayerNorm(Tensor x, Tensor w, Tensor b, Tensor mean, Tensor rstd) implements Op {

    static Tensor forward(Tensor x, Tensor w, Tensor b, double eps) {
        var d = Dims.of("layer_norm", "* C", x).and("C", w).and("C", b);
        var y = x.blankLike();
        var mean = x.statistics(d.get("*"));
        var rstd = x.statistics(d.get("*"));
        x.backend().layerNorm(
                y.data(), mean.data(), rstd.data(), x.data(), w == null ? null : w.data(), b == null ? null : b.data(), eps, d.get("*"),
                d.get("C"));
        return y.madeBy(new LayerNorm(x, w, b, mean, rstd));
    }

    @Override
    public List<Tensor> inputs() {
        var inputs = new ArrayList<>(List.of(x));
        if (w != null) inputs.add(w);
        if (b != null) inputs.add(b);
        return inputs;
    }

    @Override
    public List<Tensor> saved() {
        return w == null ? List.of(x, mean, rstd) : List.of(x, w, mean, rstd);
    }

    ///     with x̂ = (x − mean)·rstd and g = dy·w:
    ///     dx = rstd · (g − mean(g) − x̂ · mean(g·x̂))        dw = Σ over rows of dy·x̂        db = Σ over rows of dy
    @Override
    public void backward(Tensor dy, Flow flow) {
        var dx = flow.wants(x) ? x.blankLike() : null;
        var dw = w != null && flow.wants(w) ? w.blankLike() : null;
        var db = b != null && flow.wants(b) ? b.blankLike() : null;
        long c = x.dim(-1);
        x.backend().layerNormBackward(
                dx == null ? null : dx.data(),
                dw == null ? null : dw.data(),
                db == null ? null : db.data(),
                dy.data(),
                x.data(),
                mean.data(),
                rstd.data(),
                w == null ? null : w.data(),
                x.size() / c,
                c);
        if (dx != null) flow.into(x, () -> dx);
        if (dw != null) flow.into(w, () -> dw);
        if (db != null) flow.into(b, () -> db);
    }
}
