package otherwise.models.wan;

import otherwise.backend.Backend.Unary;
import otherwise.nn.LayerNorm;
import otherwise.nn.Mlp;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// Features of the first frame, brought to the width of a token: norm, two layers, norm (wan/modules/model.py, MLPProj).
record ImageEmbedding(LayerNorm before, Mlp mlp, LayerNorm after) {
    private static final double EPS = 1e-5;

    static ImageEmbedding load(Weights w, WanConfig c) {
        var proj = w.at("proj");
        return new ImageEmbedding(
                LayerNorm.load(proj.at(0), c.clipDim(), EPS),
                Mlp.load(proj, 1, 3, c.clipDim(), c.clipDim(), c.dim(), Unary.GELU),
                LayerNorm.load(proj.at(4), c.dim(), EPS));
    }

    /// `[B, P, clip]` → `[B, P, C]`
    Tensor forward(Tensor clip) {
        return after.forward(mlp.forward(before.forward(clip)));
    }
}
