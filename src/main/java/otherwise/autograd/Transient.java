package otherwise.autograd;

import java.util.function.Supplier;
import otherwise.backend.Scope;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// A piece of a layer whose intermediate results serve for nothing but its output, unless there is a way back.
public final class Transient {
    private Transient() {}

    /// f(). While nothing is recorded, what f needed on its way is freed as soon as it is done, not at the end of the layer: that is what
    /// a network takes at most when it is only run forwards. While something is, this is f() and no more.
    public static Tensor of(Supplier<Tensor> f) {
        if (Tape.recording()) return f.get();
        try (var scope = Scope.open()) {
            var y = f.get();
            scope.keep(y.data());
            return y;
        }
    }
}
