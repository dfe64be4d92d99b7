package otherwise.models.wan;

import static otherwise.nn.Trace.at;
import static otherwise.nn.Trace.layer;
import static otherwise.nn.Trace.note;

import otherwise.autograd.Transient;
import otherwise.backend.Backend.Unary;
import otherwise.models.wan.CrossAttention.Context;
import otherwise.nn.LayerNorm;
import otherwise.nn.Mlp;
import otherwise.nn.Residual;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// One block of the Wan transformer: look at the video, look at text and first frame, think (wan/modules/model.py, WanAttentionBlock).
///
///     x ← x + gate₁ · selfAttn(norm1(x) · (1 + scale₁) + shift₁)
///     x ← x + crossAttn(norm3(x), context)
///     x ← x + gate₂ · ffn(norm2(x) · (1 + scale₂) + shift₂)
///
/// The six vectors are `modulation` + e, so the time enters every block through the same projection and a table of the block's own.
/// `norm1` and `norm2` have no weights. `norm3` is `null` where the configuration has no `cross_attn_norm`.
public record WanBlock(SelfAttention selfAttn, LayerNorm norm3, CrossAttention crossAttn, Mlp ffn, Tensor modulation, double eps) {

    /// @throws otherwise.backend.ShapeException naming the first tensor that is missing or has another shape
    public static WanBlock load(Weights w, WanConfig c) {
        return new WanBlock(
                SelfAttention.load(w.at("self_attn"), c),
                c.crossAttnNorm() ? LayerNorm.load(w.at("norm3"), c.dim(), c.eps()) : null,
                CrossAttention.load(w.at("cross_attn"), c),
                Mlp.load(w.at("ffn"), 0, 2, c.dim(), c.ffnDim(), c.dim(), Unary.GELU_TANH),
                w.tensor("modulation", 1, 6, c.dim()),
                c.eps());
    }

    /// The block by itself: x `[B, L, C]` tokens · e `[B, 6, C]` time · text `[B, S, C]`  →  `[B, L, C]`
    public Tensor forward(Tensor x, Tensor e, Tensor text, Positions positions) {
        return forward(x, e, new Context(text, null), positions);
    }

    /// x `[B, L, C]` tokens · e `[B, 6, C]` time · context text and first frame  →  `[B, L, C]`
    Tensor forward(Tensor x, Tensor e, Context context, Positions positions) {
        var m = modulation.add(e).chunk(6, 1);
        var look = new Modulation(m.get(0), m.get(1), m.get(2));
        var think = new Modulation(m.get(3), m.get(4), m.get(5));

        var seen = Transient.of(() -> {
            note("norm1", () -> x.layerNorm(null, null, eps));
            var opened = at("norm1", () -> look.open(x, eps));
            return at("self_attn", () -> selfAttn.forward(opened, positions, look.into(x)));
        });
        var told = Transient.of(() -> {
            var norm3 = layer("norm3", () -> this.norm3 == null ? seen : this.norm3.forward(seen));
            return at("cross_attn", () -> crossAttn.forward(norm3, context, Residual.of(seen)));
        });
        return Transient.of(() -> {
            note("norm2", () -> told.layerNorm(null, null, eps));
            var opened = at("norm2", () -> think.open(told, eps));
            return at("ffn", () -> ffn.forward(opened, think.into(told)));
        });
    }
}
