package otherwise.autograd;

import java.util.List;
import java.util.function.Supplier;
import otherwise.backend.Scope;
import otherwise.tensor.Flow;
import otherwise.tensor.Op;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// Activation checkpointing (Chen et al. 2016): forget what a function computed on its way, and compute it again on the way back.
///
/// Memory falls from all that the function saves to its output; the price is a second forward pass. Checkpoints nest: per block inside
/// per step. The function must give the same result both times; variables that it captures receive their gradients too.
public final class Checkpoint {
    private Checkpoint() {}

    /// f(), remembered by its output alone. Gradients flow to every tensor that f uses and that was made before this call.
    public static Tensor of(Supplier<Tensor> f) {
        Tensor y;
        boolean touched;
        try (var off = Tape.off();
                var scope = Scope.open()) {
            y = f.get().detach();
            scope.keep(y.data());
            touched = off.touched();
        }
        return touched ? y.madeBy(new Recompute(f, y.variable())) : y;
    }

    /// The op behind a checkpointed output: runs f again, now recorded, and walks that piece of graph back.
    ///
    /// The marker says that the output needs a gradient; what f used is found on the way back, not listed.
    private record Recompute(Supplier<Tensor> f, Tensor marker) implements Op.Custom {

        @Override
        public List<Tensor> inputs() {
            return List.of(marker);
        }

        @Override
        public void backward(Tensor dy, Flow flow) {
            // Whatever is older than this was made outside f: there the inner walk ends and hands over to the outer one.
            long floor = Tensor.now();
            try (var scope = Scope.open()) {
                Tensor y;
                try (var _ = Tape.on()) {
                    y = Transient.of(f);
                }
                // Nobody else knows what was made here: it can go as the walk passes by.
                var walk = new Gradients.Walk(floor, scope, (x, g) -> {
                    flow.into(x, () -> g);
                    g.data().release();
                });
                walk.start(y, dy);
                walk.run();
            }
        }
    }
}
