package otherwise.tensor;

import java.util.List;

/// Layer normalisation whose weights depend on the sample: adaLN (Peebles & Xie 2023), in one pass.
///
///     y = (x − mean) · rstd · (1 + scale) + shift        rstd = 1 / √(variance + ε)
///
/// x, y `[B, L, C]` · scale, shift `[B, 1, C]` · mean, rstd `[B, L]`, kept for the way back. What is normalised is never stored.
record ModulatedNorm(Tensor x, Tensor scale, Tensor shift, Tensor mean, Tensor rstd) implements Op {

    static Tensor forward(Tensor x, Tensor scale, Tensor shift, double eps) {
        var d = Dims.of("modulated_norm", "B L C", x).and("B 1 C", scale).and("B 1 C", shift);
        var y = x.blankLike();
        var mean = x.statistics(d.get("B"), d.get("L"));
        var rstd = x.statistics(d.get("B"), d.get("L"));
        x.backend().modulatedNorm(
                y.data(), mean.data(), rstd.data(), x.data(), scale.data(), shift.data(), eps, d.get("B"), d.get("L"), d.get("C"));
        return y.madeBy(new ModulatedNorm(x, scale, shift, mean, rstd));
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(x, scale, shift);
    }

    @Override
    public List<Tensor> saved() {
        return List.of(x, scale, mean, rstd);
    }

    ///     with x̂ = (x − mean)·rstd and g = dy·(1 + scale):
    ///     dx = rstd · (g − mean(g) − x̂ · mean(g·x̂))        dscale = Σ over L of dy·x̂        dshift = Σ over L of dy
    @Override
    public void backward(Tensor dy, Flow flow) {
        var dx = flow.wants(x) ? x.blankLike() : null;
        var dscale = flow.wants(scale) ? scale.blankLike() : null;
        var dshift = flow.wants(shift) ? shift.blankLike() : null;
        x.backend().modulatedNormBackward(
                dx == null ? null : dx.data(),
                dscale == null ? null : dscale.data(),
                dshift == null ? null : dshift.data(),
                dy.data(),
                x.data(),
                mean.data(),
                rstd.data(),
                scale.data(),
                x.dim(0),
                x.dim(1),
                x.dim(2));
        if (dx != null) flow.into(x, () -> dx);
        if (dscale != null) flow.into(scale, () -> dscale);
        if (dshift != null) flow.into(shift, () -> dshift);
    }
}
