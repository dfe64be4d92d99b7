package otherwise.tensor;

import java.util.ArrayList;
import java.util.List;
import otherwise.backend.MatmulSpec;

/// y = x + gate · h, h = a · wᵀ + b: the linear layer that ends a branch, and the sum that the branch goes into, in one pass where the device
/// can.
///
/// x, y `[B, L, N]` · gate `[B, 1, N]` · a `[B, L, K]` · w `[N, K]` · b `[N]` or `null`. Without a gate (`null`), y = x + h, of any rank.
/// h `[B, L, N]` is kept for the gate's gradient, and does not exist where that is not asked for.
record ResidualLinear(Tensor x, Tensor gate, Linear linear, Tensor h) implements Op {

    static Tensor forward(Tensor x, Tensor gate, Tensor a, Tensor w, Tensor b) {
        var d = Dims.of("residual_linear", "* K", a).and("N K", w).and("N", b).and("* N", x);
        if (gate != null) d.and("B L N", x).and("B 1 N", gate);
        long n = d.get("N");
        long k = d.get("K");
        var spec = gate == null ? MatmulSpec.of(d.get("*"), n, k, false, true)
                : new MatmulSpec(d.get("B"), d.get("L"), n, k, false, true, d.get("L") * k, 0);
        var y = x.blankLike();
        var h = gate != null && Tape.records(List.of(gate)) ? y.blankLike() : null;
        x.backend().matmulOnto(
                y.data(), h == null ? null : h.data(), x.data(), gate == null ? null : gate.data(), a.data(), w.data(),
                b == null ? null : b.data(), spec);
        return y.madeBy(new ResidualLinear(x, gate, new Linear(a, w, b), h));
    }

    @Override
    public List<Tensor> inputs() {
        var inputs = new ArrayList<>(linear.inputs());
        inputs.add(x);
        if (gate != null) inputs.add(gate);
        return inputs;
    }

    @Override
    public List<Tensor> saved() {
        var saved = new ArrayList<>(linear.saved());
        if (gate != null) saved.add(gate);
        if (h != null) saved.add(h);
        return saved;
    }

    ///     dx = dy        dh = dy · gate        dgate = Σ over L of dy · h
    ///
    /// and from dh on as [Linear] does.
    @Override
    public void backward(Tensor dy, Flow flow) {
        flow.into(x, () -> dy);
        if (gate == null) {
            linear.backward(dy, flow);
            return;
        }
        var dh = linear.inputs().stream().anyMatch(flow::wants) ? dy.blankLike() : null;
        var dgate = flow.wants(gate) ? gate.blankLike() : null;
        if (dh == null && dgate == null) return;
        x.backend().gatedAddBackward(
                dh == null ? null : dh.data(), dgate == null ? null : dgate.data(), dy.data(), gate.data(), h == null ? null : h.data(),
                x.dim(0), x.dim(1), x.dim(2));
        if (dh != null) linear.backward(dh, flow);
        if (dgate != null) flow.into(gate, () -> dgate);
    }
}
