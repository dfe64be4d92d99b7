package otherwise.tensor;

import java.util.ArrayList;
import java.util.List;
import otherwise.backend.Backend.Unary;
import otherwise.backend.MatmulSpec;

/// y = f(z), z = x · wᵀ + b: a linear layer and the function behind it, in one pass where the device can.
///
/// x `[*, K]` · w `[N, K]` · b `[N]` or `null` · z `[*, N]`, which is kept for the way back, and without one does not exist.
record ActivatedLinear(Unary f, Linear linear, Tensor z) implements Op {

    static Tensor forward(Unary f, Tensor x, Tensor w, Tensor b) {
        var d = Linear.dims(x, w, b);
        var linear = new Linear(x, w, b);
        var y = Tensor.blank(x.backend(), x.shape().with(-1, d.get("N")));
        var z = Tape.records(linear) ? y.blankLike() : null;
        x.backend().matmulThen(
                f, y.data(), z == null ? null : z.data(), x.data(), w.data(), b == null ? null : b.data(),
                MatmulSpec.of(d.get("*"), d.get("N"), d.get("K"), false, true));
        return y.madeBy(new ActivatedLinear(f, linear, z));
    }

    @Override
    public List<Tensor> inputs() {
        return linear.inputs();
    }

    @Override
    public List<Tensor> saved() {
        var saved = new ArrayList<>(linear.saved());
        if (z != null) saved.add(z);
        return saved;
    }

    /// dz = dy · f′(z), and on from there as [Linear] does. dy is as large as z: where nobody needs it any more, dz takes its place.
    @Override
    public void backward(Tensor dy, Flow flow) {
        var dz = flow.isLast(dy) ? dy : dy.blankLike();
        z.backend().unaryBackward(f, dz.data(), dy.data(), z.data());
        linear.backward(dz, flow);
    }
}
