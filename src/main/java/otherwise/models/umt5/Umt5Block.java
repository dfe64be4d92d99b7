package otherwise.models.umt5;

import static otherwise.nn.Trace.at;
import static otherwise.nn.Trace.note;

import otherwise.nn.Linear;
import otherwise.nn.Residual;
import otherwise.nn.RmsNorm;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// One block: look round, think; both normalised first (wan/modules/t5.py, T5SelfAttention). No layer has a bias, and the scores of the
/// attention are not scaled.
///
/// @param gate `[dimFfn, dim]`, opens what `fc1` lets through
/// @param posEmbedding `null` where one table serves all blocks
record Umt5Block(
        RmsNorm norm1,
        Linear q,
        Linear k,
        Linear v,
        Linear o,
        RmsNorm norm2,
        Linear gate,
        Linear fc1,
        Linear fc2,
        RelativePositions posEmbedding,
        int heads) {

    static Umt5Block load(Weights w, Umt5Config c) {
        var attn = w.at("attn");
        var ffn = w.at("ffn");
        return new Umt5Block(
                RmsNorm.load(w.at("norm1"), c.dim(), Umt5Config.EPS),
                Linear.loadPlain(attn.at("q"), c.dim(), c.dimAttn()),
                Linear.loadPlain(attn.at("k"), c.dim(), c.dimAttn()),
                Linear.loadPlain(attn.at("v"), c.dim(), c.dimAttn()),
                Linear.loadPlain(attn.at("o"), c.dimAttn(), c.dim()),
                RmsNorm.load(w.at("norm2"), c.dim(), Umt5Config.EPS),
                Linear.loadPlain(ffn.at("gate").at(0), c.dim(), c.dimFfn()),
                Linear.loadPlain(ffn.at("fc1"), c.dim(), c.dimFfn()),
                Linear.loadPlain(ffn.at("fc2"), c.dimFfn(), c.dim()),
                c.sharedPos() ? null : RelativePositions.load(w.at("pos_embedding"), c),
                c.numHeads());
    }

    /// x `[B, L, dim]` → the same
    ///
    /// @param shared the relative positions' bias `[1, N, L, L]` that serves all blocks; `null` where each has its own
    /// @param lengths how many tokens of each text count; `null` where all do
    Tensor forward(Tensor x, Tensor shared, long[] lengths) {
        var bias = shared != null ? shared : note("pos_embedding", posEmbedding.bias(x.dim(1)));
        var normalised = note("norm1", norm1.forward(x));
        var seen = at("attn", () -> attention(normalised, bias, lengths, Residual.of(x)));
        return at("ffn", () -> feedForward(norm2.forward(seen), Residual.of(seen)));
    }

    /// softmax(q·kᵀ + bias)·v, with no 1/√D: the initial weights are small enough.
    private Tensor attention(Tensor x, Tensor bias, long[] lengths, Residual into) {
        var table = bias.reshape(heads, x.dim(1), x.dim(1));
        var found = split(q.forward(x)).attention(split(k.forward(x)), split(v.forward(x)), table, null, 1, lengths);
        return into.add(o, found.reshape(x.dim(0), x.dim(1), -1));
    }

    private Tensor split(Tensor x) {
        return x.reshape(x.dim(0), x.dim(1), heads, -1); // [B, L, N, D]
    }

    private Tensor feedForward(Tensor x, Residual into) {
        return into.add(fc2, fc1.forward(x).mul(gate.forward(x).geluTanh()));
    }
}
