package otherwise.tensor;

import java.util.List;

/// y = x + gate · h: the end of a branch whose gate depends on the sample (adaLN-Zero, Peebles & Xie 2023), in one pass.
///
/// x, h, y `[B, L, C]` · gate `[B, 1, C]`. The gated branch itself is never stored.
record GatedAdd(Tensor x, Tensor gate, Tensor h) implements Op {

    static Tensor forward(Tensor x, Tensor gate, Tensor h) {
        var d = Dims.of("gated_add", "B L C", x).and("B 1 C", gate).and("B L C", h);
        var y = x.blankLike();
        x.backend().gatedAdd(y.data(), x.data(), gate.data(), h.data(), d.get("B"), d.get("L"), d.get("C"));
        return y.madeBy(new GatedAdd(x, gate, h));
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(x, gate, h);
    }

    ///     dx = dy        dh = dy · gate        dgate = Σ over L of dy · h
    @Override
    public void backward(Tensor dy, Flow flow) {
        flow.into(x, () -> dy);
        var dh = flow.wants(h) ? h.blankLike() : null;
        var dgate = flow.wants(gate) ? gate.blankLike() : null;
        if (dh == null && dgate == null) return;
        x.backend().gatedAddBackward(
                dh == null ? null : dh.data(),
                dgate == null ? null : dgate.data(),
                dy.data(),
                gate.data(),
                h.data(),
                x.dim(0),
                x.dim(1),
                x.dim(2));
        if (dh != null) flow.into(h, () -> dh);
        if (dgate != null) flow.into(gate, () -> dgate);
    }
}
