package otherwise.models.swin;

import otherwise.autograd.Transient;
import otherwise.backend.Backend.Unary;
import otherwise.nn.LayerNorm;
import otherwise.nn.Mlp;
import otherwise.nn.Trace;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// One block: look round inside the window, think. (torchvision `SwinTransformerBlock`)
record SwinBlock(LayerNorm norm1, WindowAttention attn, LayerNorm norm2, Mlp mlp) {

    static SwinBlock load(Weights w, int c, int heads, SwinConfig config) {
        return new SwinBlock(
                LayerNorm.load(w.at("norm1"), c, config.eps()),
                WindowAttention.load(w.at("attn"), c, heads, config),
                LayerNorm.load(w.at("norm2"), c, config.eps()),
                // The numbers are those of torchvision's Sequential: linear 0, GELU 1, dropout 2, linear 3.
                Mlp.load(w.at("mlp"), 0, 3, c, (long) (c * config.mlpRatio()), c, Unary.GELU));
    }

    /// x `[B·T·H·W, C]` → the same
    Tensor forward(Tensor x, Grid grid, Windows windows, Tensor biasIndex) {
        var seen = Transient.of(() -> {
            var look = attn.forward(norm1.forward(x), windows, biasIndex);
            Trace.note("attn", grid.unfold(look));
            return x.add(look);
        });
        return Transient.of(() -> seen.add(mlp.forward(norm2.forward(seen))));
    }
}
