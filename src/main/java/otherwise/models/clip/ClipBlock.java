package otherwise.models.clip;

import otherwise.backend.Backend.Unary;
import otherwise.nn.LayerNorm;
import otherwise.nn.Linear;
import otherwise.nn.Residual;
import otherwise.nn.Trace;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// One block: look round, think; both normalised first. (wan/modules/clip.py, AttentionBlock)
///
/// @param toQkv `[3C, C]`: queries, keys and values
record ClipBlock(LayerNorm norm1, Linear toQkv, Linear proj, LayerNorm norm2, Linear up, Linear down, ClipConfig config) {

    static ClipBlock load(Weights w, ClipConfig c) {
        long hidden = (long) (c.dim() * c.mlpRatio());
        return new ClipBlock(
                LayerNorm.load(w.at("norm1"), c.dim(), c.eps()),
                Linear.load(w.at("attn").at("to_qkv"), c.dim(), 3L * c.dim()),
                Linear.load(w.at("attn").at("proj"), c.dim(), c.dim()),
                LayerNorm.load(w.at("norm2"), c.dim(), c.eps()),
                Linear.load(w.at("mlp").at(0), c.dim(), hidden),
                Linear.load(w.at("mlp").at(2), hidden, c.dim()),
                c);
    }

    /// x `[B, L, C]` → the same
    Tensor forward(Tensor x) {
        var seen = Trace.at("attn", () -> attention(norm1.forward(x), Residual.of(x)));
        return Trace.at("mlp", () -> mlp(norm2.forward(seen), Residual.of(seen)));
    }

    private Tensor attention(Tensor x, Residual into) {
        double scale = 1 / Math.sqrt(config.headDim());
        var y = heads(x, 0).attention(heads(x, 1), heads(x, 2), scale, null); // [B, L, N, D]
        return into.add(proj, y.reshape(x.shape().dims()));
    }

    /// Queries, keys or values, each by its own rows of the weight: `[B, L, N, D]`
    private Tensor heads(Tensor x, int which) {
        long c = x.dim(2);
        var y = x.linear(toQkv.weight().slice(0, which * c, (which + 1) * c), toQkv.bias().slice(0, which * c, (which + 1) * c));
        return y.reshape(x.dim(0), x.dim(1), config.numHeads(), config.headDim());
    }

    private Tensor mlp(Tensor x, Residual into) {
        return into.add(
                down,
                switch (config.activation()) {
                    case GELU -> up.forward(x, Unary.GELU);
                    case QUICK_GELU -> {
                        var h = up.forward(x);
                        yield h.mul(h.times(1.702).sigmoid());
                    }
                });
    }
}
