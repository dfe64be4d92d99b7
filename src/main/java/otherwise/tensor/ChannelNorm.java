package otherwise.tensor;

import java.util.List;

/// The Wan VAE's normalisation over channels (wan/modules/vae.py, RMS_norm).
///
///     y = x · r · γ        r = √C / max(‖x‖₂ over C, 1e-12)
///
/// With `silu`, y is that function of it, in the same pass; what it is taken of is not stored, but computed again on the way back.
///
/// x, y `[B, C, …]` · γ `[C]` · r `[B, …]`, kept for the way back.
record ChannelNorm(Tensor x, Tensor gamma, boolean silu, Tensor r) implements Op {

    static Tensor forward(Tensor x, Tensor gamma, boolean silu) {
        var d = Dims.of("channel_norm", "C", gamma).and("B C I", folded(x).shape());
        var y = x.blankLike();
        var r = x.statistics(d.get("B"), d.get("I"));
        x.backend().channelNorm(y.data(), r.data(), x.data(), gamma.data(), silu, d.get("B"), d.get("C"), d.get("I"));
        return y.madeBy(new ChannelNorm(x, gamma, silu, r));
    }

    private static Tensor folded(Tensor x) {
        return x.detach().reshape(x.dim(0), x.dim(1), x.size() / (x.dim(0) * x.dim(1)));
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(x, gamma);
    }

    @Override
    public List<Tensor> saved() {
        return List.of(x, gamma, r);
    }

    ///     dx = r · (γ·dy − x · Σ(γ·dy·x) / ‖x‖²)        dγ = Σ dy · x · r        with silu, of dy · silu′(x·r·γ) for dy
    ///
    /// These are the largest tensors of a decoder: where nobody needs dy any more, dx takes its place.
    @Override
    public void backward(Tensor dy, Flow flow) {
        boolean inPlace = flow.isLast(dy) && !flow.wants(gamma);
        var dx = !flow.wants(x) ? null : inPlace ? dy : x.blankLike();
        var dgamma = flow.wants(gamma) ? gamma.blankLike() : null;
        x.backend().channelNormBackward(
                dx == null ? null : dx.data(),
                dgamma == null ? null : dgamma.data(),
                dy.data(),
                x.data(),
                r.data(),
                gamma.data(),
                silu,
                r.dim(0),
                gamma.dim(0),
                r.dim(1));
        if (dx != null) flow.into(x, () -> dx);
        if (dgamma != null) flow.into(gamma, () -> dgamma);
    }
}
