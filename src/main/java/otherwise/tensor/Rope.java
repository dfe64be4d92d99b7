package otherwise.tensor;

import java.util.List;
import otherwise.backend.ShapeException;

/// Rotary position embedding (Su et al. 2021): every adjacent pair of a head is turned by an angle that depends on the token's position.
/// The way back turns the other way.
///
/// x, y `[B, L, N, D]` · cos, sin `[L, D/2]`
record Rope(Tensor x, Tensor cos, Tensor sin) implements Op {

    static Tensor forward(Tensor x, Tensor cos, Tensor sin) {
        var d = Dims.of("rope", "B L N D", x).and("L H", cos).and("L H", sin);
        if (2 * d.get("H") != d.get("D"))
            throw new ShapeException("rope: " + x.shape() + " needs half as many angles as " + cos.shape() + " has");
        return turned(x, cos, sin, false).madeBy(new Rope(x, cos, sin));
    }

    private static Tensor turned(Tensor x, Tensor cos, Tensor sin, boolean inverse) {
        var y = x.blankLike();
        x.backend().rope(y.data(), x.data(), cos.data(), sin.data(), x.dim(0), x.dim(1), x.dim(2), x.dim(3), inverse);
        return y;
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(x);
    }

    @Override
    public List<Tensor> saved() {
        return List.of(cos, sin);
    }

    @Override
    public void backward(Tensor dy, Flow flow) {
        flow.into(x, () -> turned(dy, cos, sin, true));
    }
}
