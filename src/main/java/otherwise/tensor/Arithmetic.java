package otherwise.tensor;

import java.util.List;
import otherwise.backend.Backend.Binary;
import otherwise.backend.Shape;

/// y = a f b for +, −, ×, ÷, broadcasting as NumPy does. On the way back, a gradient is summed over the axes that repeated.
record Arithmetic(Binary f, Tensor a, Tensor b) implements Op {

    static Tensor forward(Binary f, Tensor a, Tensor b) {
        var shape = Shape.broadcast(f.name().toLowerCase(java.util.Locale.ROOT), a.shape(), b.shape());
        var y = Tensor.blank(a.backend(), shape);
        a.backend().binary(f, y.data(), a.data(), a.shape().stridesAs(shape), b.data(), b.shape().stridesAs(shape), shape.dims());
        return y.madeBy(new Arithmetic(f, a, b));
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(a, b);
    }

    @Override
    public List<Tensor> saved() {
        return switch (f) {
            case ADD, SUB -> List.of();
            case MUL, DIV -> List.of(a, b);
        };
    }

    ///     +: da = dy, db = dy     −: db = −dy     ×: da = dy·b, db = dy·a     ÷: da = dy/b, db = −dy·a/b²
    @Override
    public void backward(Tensor dy, Flow flow) {
        flow.into(a, () -> da(dy).sumTo(a.shape()));
        flow.into(b, () -> db(dy).sumTo(b.shape()));
    }

    private Tensor da(Tensor dy) {
        return switch (f) {
            case ADD, SUB -> dy;
            case MUL -> dy.mul(b.detach());
            case DIV -> dy.div(b.detach());
        };
    }

    private Tensor db(Tensor dy) {
        return switch (f) {
            case ADD -> dy;
            case SUB -> dy.neg();
            case MUL -> dy.mul(a.detach());
            case DIV -> dy.mul(a.detach()).div(b.detach().square()).neg();
        };
    }
}
