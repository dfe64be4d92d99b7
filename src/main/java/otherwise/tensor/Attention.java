package otherwise.tensor;

import java.util.List;
import otherwise.backend.AttentionSpec;
import otherwise.backend.ShapeException;

/// y = softmax(scale · q kᵀ) v for each head, in one pass over blocks of keys (Dao 2022): no L×S matrix is ever held, only the logarithm
/// of each row's sum, `[B, N, L]`, from which the way back recomputes the weights.
///
/// q, y `[B, L, N, D]` · k, v `[B, S, N, D]`
record Attention(Tensor q, Tensor k, Tensor v, Tensor y, Tensor logsumexp, AttentionSpec spec) implements Op {

    static Tensor forward(Tensor q, Tensor k, Tensor v, double scale, long[] keyLengths) {
        var d = Dims.of("attention", "B L N D", q).and("B S N D", k).and("B S N D", v);
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
        q.backend().attention(y.data(), logsumexp.data(), q.data(), k.data(), v.data(), spec);
        return y.madeBy(new Attention(q, k, v, y, logsumexp, spec));
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(q, k, v);
    }

    @Override
    public void backward(Tensor dy, Flow flow) {
        var dq = q.blankLike();
        var dk = k.blankLike();
        var dv = v.blankLike();
        q.backend().attentionBackward(
                dq.data(), dk.data(), dv.data(), dy.data(), y.data(), logsumexp.data(), q.data(), k.data(), v.data(), spec);
        flow.into(q, () -> dq);
        flow.into(k, () -> dk);
        flow.into(v, () -> dv);
    }
}
