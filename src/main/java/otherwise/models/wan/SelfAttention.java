package otherwise.models.wan;

import static otherwise.nn.Trace.at;
import static otherwise.nn.Trace.note;

import otherwise.autograd.Transient;
import otherwise.nn.Linear;
import otherwise.nn.Residual;
import otherwise.nn.RmsNorm;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// Every token of the video looks at every other (wan/modules/model.py, WanSelfAttention).
///
/// Queries and keys are normalised over all heads together before they are split, then turned by their place in the video.
/// `normQ`, `normK` are `null` where the configuration has no `qk_norm`.
record SelfAttention(Linear q, Linear k, Linear v, Linear o, RmsNorm normQ, RmsNorm normK, int heads) {

    static SelfAttention load(Weights w, WanConfig c) {
        return new SelfAttention(
                Linear.load(w.at("q"), c.dim(), c.dim()),
                Linear.load(w.at("k"), c.dim(), c.dim()),
                Linear.load(w.at("v"), c.dim(), c.dim()),
                Linear.load(w.at("o"), c.dim(), c.dim()),
                c.qkNorm() ? RmsNorm.load(w.at("norm_q"), c.dim(), c.eps()) : null,
                c.qkNorm() ? RmsNorm.load(w.at("norm_k"), c.dim(), c.eps()) : null,
                c.numHeads());
    }

    /// x `[B, L, C]`, what is seen goes into a sum → `[B, L, C]`
    Tensor forward(Tensor x, Positions positions, Residual into) {
        var query = Transient.of(() -> turned("norm_q", normQ, q, x, positions));
        var key = Transient.of(() -> turned("norm_k", normK, k, x, positions));
        var value = split(v.forward(x), heads);
        note("q_rope", query);
        note("k_rope", key);
        return into.add(o, join(query.attention(key, value, scale(query), positions.lengths())));
    }

    /// Queries or keys `[B, L, N, D]`: norm and turn are one operation, and what is between them is computed for a listener only.
    private Tensor turned(String name, RmsNorm norm, Linear to, Tensor x, Positions positions) {
        var all = at(name, () -> to.forward(x));
        note(name, () -> normalised(all, norm));
        return at(name, () -> positions.turn(split(all, heads), norm));
    }

    static Tensor normalised(Tensor x, RmsNorm norm) {
        return norm == null ? x : norm.forward(x);
    }

    /// `[B, L, C]` → `[B, L, N, D]`: neighbouring channels make a head.
    static Tensor split(Tensor x, int heads) {
        return x.reshape(x.dim(0), x.dim(1), heads, x.dim(2) / heads);
    }

    /// `[B, L, N, D]` → `[B, L, C]`
    static Tensor join(Tensor x) {
        return x.reshape(x.dim(0), x.dim(1), x.dim(2) * x.dim(3));
    }

    /// 1/√D
    static double scale(Tensor query) {
        return 1 / Math.sqrt(query.dim(-1));
    }
}
