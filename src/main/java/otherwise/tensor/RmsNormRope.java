package otherwise.tensor;

import java.util.List;
import otherwise.backend.ShapeException;

/// Root-mean-square normalisation over all heads together, then rotary position embedding of each, in one pass: queries and keys of a
/// video.
///
///     y = turned(x · r · w)        r = 1 / √(mean(x²) + ε)
///
/// x, y `[B, L, N, D]` · w `[N · D]` · r `[B, L]`, kept for the way back · cos, sin `[L, D/2]`. What is normalised is never stored.
record RmsNormRope(Tensor x, Tensor w, Tensor r, Tensor cos, Tensor sin) implements Op {

    static Tensor forward(Tensor x, Tensor w, double eps, Tensor cos, Tensor sin) {
        var d = Dims.of("rms_norm_rope", "B L N D", x).and("C", w).and("L H", cos).and("L H", sin);
        if (d.get("C") != d.get("N") * d.get("D"))
            throw new ShapeException("rms_norm_rope: " + x.shape() + " needs a weight for each channel, not " + w.shape());
        if (2 * d.get("H") != d.get("D"))
            throw new ShapeException("rms_norm_rope: " + x.shape() + " needs half as many angles as " + cos.shape() + " has");
        var y = x.blankLike();
        var r = x.statistics(d.get("B"), d.get("L"));
        x.backend().rmsNormRope(
                y.data(), r.data(), x.data(), w.data(), cos.data(), sin.data(), eps, d.get("B"), d.get("L"), d.get("N"), d.get("D"));
        return y.madeBy(new RmsNormRope(x, w, r, cos, sin));
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(x, w);
    }

    @Override
    public List<Tensor> saved() {
        return List.of(x, w, r, cos, sin);
    }

    ///     with g = dy turned back:
    ///     dx = r · (g·w − x · r² · mean(g·w·x))        dw = Σ over B and L of g · x · r
    @Override
    public void backward(Tensor dy, Flow flow) {
        var dx = x.blankLike();
        var dw = flow.wants(w) ? w.blankLike() : null;
        x.backend().rmsNormRopeBackward(
                dx.data(),
                dw == null ? null : dw.data(),
                dy.data(),
                x.data(),
                r.data(),
                w.data(),
                cos.data(),
                sin.data(),
                x.dim(0),
                x.dim(1),
                x.dim(2),
                x.dim(3));
        flow.into(x, () -> dx);
        if (dw != null) flow.into(w, () -> dw);
    }
}
