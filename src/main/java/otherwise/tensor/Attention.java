package otherwise.tensor;

import java.util.ArrayList;
import java.util.List;
import otherwise.backend.AttentionBias;
import otherwise.backend.AttentionSpec;
import otherwise.backend.ShapeException;

/// y = softmax(scale · q kᵀ + bias + mask) v for each head, in one pass over blocks of keys (Dao 2022): no L×S matrix is ever held, only the logarithm
/// of each row's sum, `[B, N, L]`, from which the way back recomputes the weights.
///
/// q, y `[B, L, N, D]` · k, v `[B, S, N, D]` · bias `[N, L, S]` or `null` · mask `[M, L, S]` or `null`, a constant: entry b has mask b mod M
record Attention(Tensor q, Tensor k, Tensor v, Tensor bias, Tensor mask, Tensor y, Tensor logsumexp, AttentionSpec spec) implements Op {

    static Tensor forward(Tensor q, Tensor k, Tensor v, Tensor bias, Tensor mask, double scale, long[] keyLengths) {
        var d = Dims.of("attention", "B L N D", q).and("B S N D", k).and("B S N D", v).and("N L S", bias).and("M L S", mask);
        if (mask != null && (d.get("M") == 0 || d.get("B") % d.get("M") != 0)) {
            throw new ShapeException("attention: " + d.get("M") + " masks for a batch of " + d.get("B"));
        }
        if (mask != null && mask.requiresGrad())
            throw new IllegalArgumentException("attention: a mask is a constant, no gradient goes to it");
        if (keyLengths != null && keyLengths.length != d.get("B")) {
            throw new ShapeException("attention: " + keyLengths.length + " key lengths for a batch of " + d.get("B"));
        }
        var spec = new AttentionSpec(d.get("B"), d.get("N"), d.get("L"), d.get("S"), d.get("D"), scale, keyLengths);
        for (long b = 0; b < spec.batch(); b++) {
            if (spec.keysOf(b) < 0 || spec.keysOf(b) > spec.keys()) {
                throw new ShapeException("attention: key length " + spec.keysOf(b) + " of " + spec.keys() + " keys");
            }
        }
        var y = q.blankLike();
        var logsumexp = q.statistics(spec.batch(), spec.heads(), spec.length());
        q.backend().attention(y.data(), logsumexp.data(), q.data(), k.data(), v.data(), added(bias, mask), spec);
        return y.madeBy(new Attention(q, k, v, bias, mask, y, logsumexp, spec));
    }

    private static AttentionBias added(Tensor bias, Tensor mask) {
        if (bias == null && mask == null) return null;
        return new AttentionBias(bias == null ? null : bias.data(), mask == null ? null : mask.data(), mask == null ? 1 : mask.dim(0));
    }

    @Override
    public List<Tensor> inputs() {
        return bias == null ? List.of(q, k, v) : List.of(q, k, v, bias);
    }

    @Override
    public List<Tensor> saved() {
        var saved = new ArrayList<>(List.of(q, k, v, y, logsumexp));
        if (bias != null) saved.add(bias);
        if (mask != null) saved.add(mask);
        return saved;
    }

    @Override
    public void backward(Tensor dy, Flow flow) {
        var dq = q.blankLike();
        var dk = k.blankLike();
        var dv = v.blankLike();
        var dbias = bias != null && flow.wants(bias) ? bias.blankLike() : null;
        q.backend().attentionBackward(
                dq.data(), dk.data(), dv.data(), dbias == null ? null : dbias.data(), dy.data(), y.data(), logsumexp.data(), q.data(),
                k.data(), v.data(), added(bias, mask), spec);
        flow.into(q, () -> dq);
        flow.into(k, () -> dk);
        flow.into(v, () -> dv);
        if (dbias != null) flow.into(bias, () -> dbias);
    }
}
