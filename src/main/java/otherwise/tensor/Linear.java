package otherwise.tensor;

import java.util.ArrayList;
import java.util.List;
import otherwise.backend.MatmulSpec;

/// y = x · wᵀ + b: x `[*, K]` · w `[N, K]` · b `[N]` or `null` → `[*, N]`
record Linear(Tensor x, Tensor w, Tensor b) implements Op {

    static Tensor forward(Tensor x, Tensor w, Tensor b) {
        var d = dims(x, w, b);
        var y = Tensor.blank(x.backend(), x.shape().with(-1, d.get("N")));
        x.backend().matmul(y.data(), x.data(), w.data(), b == null ? null : b.data(), spec(d.get("*"), d.get("N"), d.get("K"), false, true),
                false);
        return y.madeBy(new Linear(x, w, b));
    }

    static Dims dims(Tensor x, Tensor w, Tensor b) {
        return Dims.of("linear", "* K", x).and("N K", w).and("N", b);
    }

    private static MatmulSpec spec(long m, long n, long k, boolean ta, boolean tb) {
        return MatmulSpec.of(m, n, k, ta, tb);
    }

    @Override
    public List<Tensor> inputs() {
        var inputs = new ArrayList<>(List.of(x, w));
        if (b != null) inputs.add(b);
        return inputs;
    }

    @Override
    public List<Tensor> saved() {
        return w.requiresGrad() ? List.of(x, w) : List.of(w);
    }

    ///     dx = dy · w        dw = dyᵀ · x        db = Σ over rows of dy
    @Override
    public void backward(Tensor dy, Flow flow) {
        long n = w.dim(0);
        long k = w.dim(1);
        long m = x.size() / k;
        var backend = x.backend();
        flow.into(x, () -> {
            var dx = x.blankLike();
            backend.matmul(dx.data(), dy.data(), w.data(), null, spec(m, k, n, false, false), false);
            return dx;
        });
        flow.into(w, () -> {
            var dw = w.blankLike();
            backend.matmul(dw.data(), dy.data(), x.data(), null, spec(n, k, m, true, false), false);
            return dw;
        });
        if (b != null) flow.into(b, () -> dy.reshape(m, n).sum(0).reshape(n));
    }
}
