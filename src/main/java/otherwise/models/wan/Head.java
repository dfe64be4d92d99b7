package otherwise.models.wan;

import otherwise.nn.Linear;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// From tokens back to patches: a modulated norm and a linear layer (wan/modules/model.py, Head).
record Head(Linear head, Tensor modulation, double eps) {

    static Head load(Weights w, WanConfig c) {
        long patch = (long) c.patchT() * c.patchH() * c.patchW();
        return new Head(Linear.load(w.at("head"), c.dim(), patch * c.outDim()), w.tensor("modulation", 1, 2, c.dim()), c.eps());
    }

    /// x `[B, L, C]` · e `[B, C]`, the time embedding itself → `[B, L, patch · out]`
    Tensor forward(Tensor x, Tensor e) {
        var m = modulation.add(e.reshape(e.dim(0), 1, e.dim(1))).chunk(2, 1);
        return head.forward(x.modulatedNorm(m.get(1), m.get(0), eps));
    }
}
