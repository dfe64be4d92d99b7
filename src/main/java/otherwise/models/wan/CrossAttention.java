package otherwise.models.wan;

import static otherwise.models.wan.SelfAttention.join;
import static otherwise.models.wan.SelfAttention.normalised;
import static otherwise.models.wan.SelfAttention.scale;
import static otherwise.models.wan.SelfAttention.split;
import static otherwise.nn.Trace.layer;

import otherwise.nn.Linear;
import otherwise.nn.Residual;
import otherwise.nn.RmsNorm;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// Every token of the video looks at the text, and at the first frame if there is one (wan/modules/model.py, WanT2VCrossAttention and
/// WanI2VCrossAttention).
///
/// Text and image have keys and values of their own and a softmax each; what the same query finds in both is added.
/// `kImg`, `vImg`, `normKImg` are `null` for text alone.
record CrossAttention(
        Linear q,
        Linear k,
        Linear v,
        Linear o,
        RmsNorm normQ,
        RmsNorm normK,
        Linear kImg,
        Linear vImg,
        RmsNorm normKImg,
        int heads) {

    /// What is looked at: text `[B, S, C]`, and image `[B, P, C]` or `null`. A batch of 1 serves every sample.
    record Context(Tensor text, Tensor image) {}

    static CrossAttention load(Weights w, WanConfig c) {
        boolean image = c.imageToVideo();
        return new CrossAttention(
                Linear.load(w.at("q"), c.dim(), c.dim()),
                Linear.load(w.at("k"), c.dim(), c.dim()),
                Linear.load(w.at("v"), c.dim(), c.dim()),
                Linear.load(w.at("o"), c.dim(), c.dim()),
                c.qkNorm() ? RmsNorm.load(w.at("norm_q"), c.dim(), c.eps()) : null,
                c.qkNorm() ? RmsNorm.load(w.at("norm_k"), c.dim(), c.eps()) : null,
                image ? Linear.load(w.at("k_img"), c.dim(), c.dim()) : null,
                image ? Linear.load(w.at("v_img"), c.dim(), c.dim()) : null,
                image && c.qkNorm() ? RmsNorm.load(w.at("norm_k_img"), c.dim(), c.eps()) : null,
                c.numHeads());
    }

    /// x `[B, L, C]`, what is found goes into a sum → `[B, L, C]`
    Tensor forward(Tensor x, Context context, Residual into) {
        var query = split(layer("norm_q", () -> normalised(q.forward(x), normQ)), heads);
        var found = look(query, context.text, k, v, normK);
        if (context.image != null) found = found.add(look(query, context.image, kImg, vImg, normKImg));
        return into.add(o, join(found));
    }

    private Tensor look(Tensor query, Tensor at, Linear k, Linear v, RmsNorm normK) {
        var key = split(normalised(k.forward(at), normK), heads);
        var value = split(v.forward(at), heads);
        return query.attention(forAll(query, key), forAll(query, value), scale(query), null);
    }

    private static Tensor forAll(Tensor query, Tensor x) {
        return x.expand(query.dim(0), x.dim(1), x.dim(2), x.dim(3));
    }
}
