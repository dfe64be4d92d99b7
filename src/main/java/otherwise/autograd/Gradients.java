package otherwise.autograd;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import otherwise.backend.Scope;
import otherwise.backend.ShapeException;
import otherwise.tensor.Flow;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// Reverse-mode differentiation: the walk from a loss back to its variables.
///
/// An input is always older than what was made from it, so taking tensors youngest first needs no recursion and no sorting of the graph.
/// A gradient is freed as soon as it has been handed down.
public final class Gradients {
    private final Map<Tensor, Tensor> found;

    private Gradients(Map<Tensor, Tensor> found) {
        this.found = found;
    }

    /// The gradients of a scalar loss with respect to every variable it depends on. They belong to the innermost scope.
    ///
    /// @throws ShapeException if the loss is no scalar or depends on no variable
    public static Gradients of(Tensor loss) {
        if (loss.size() != 1) throw new ShapeException("the loss is " + loss + ", not a scalar; give the gradient of its elements as well");
        return of(loss, Tensor.full(loss.backend(), 1, loss.shape().dims()));
    }

    /// The gradients of Σ `y` · `dy` with respect to every variable that `y` depends on.
    public static Gradients of(Tensor y, Tensor dy) {
        if (!y.requiresGrad()) throw new ShapeException("the loss depends on no variable");
        if (!y.shape().equals(dy.shape())) throw new ShapeException("backward: the output is " + y + ", its gradient " + dy);
        var found = new HashMap<Tensor, Tensor>();
        try (var _ = Tape.off()) {
            var walk = new Walk(0, null, (x, g) -> found.put(x, g));
            walk.start(y, dy);
            walk.run();
        }
        found.values().forEach(g -> Scope.adopt(g.data().root()));
        return new Gradients(found);
    }

    /// The gradients in the order of `variables`; zeros for one on which the loss does not depend.
    public List<Tensor> to(List<Tensor> variables) {
        return variables.stream().map(this::to).toList();
    }

    /// The gradient with respect to a variable; zeros if the loss does not depend on it.
    public Tensor to(Tensor variable) {
        var g = found.get(variable);
        return g != null ? g : Tensor.zeros(variable.backend(), variable.shape().dims());
    }

    /// What to do with the gradient of a tensor at which a walk ends. The receiver owns one reference to it.
    interface End {
        void reached(Tensor x, Tensor gradient);
    }

    /// One walk back. It ends at leaves, and at tensors born before `floor`.
    static final class Walk implements Flow {
        private record Due(Tensor of, Tensor gradient) {}

        private final TreeMap<Long, Due> due = new TreeMap<>();
        private final long floor;
        private final Scope behind;
        private final End end;

        /// @param behind what of this scope lies behind the walk is freed; `null` for none
        Walk(long floor, Scope behind, End end) {
            this.floor = floor;
            this.behind = behind;
            this.end = end;
        }

        void start(Tensor y, Tensor dy) {
            into(y, () -> dy);
        }

        void run() {
            for (var entry = due.pollLastEntry(); entry != null; entry = due.pollLastEntry()) {
                var t = entry.getValue();
                if (t.of.op() == null) {
                    end.reached(t.of, t.gradient);
                } else {
                    try (var _ = Scope.open()) {
                        t.of.op().backward(t.gradient, this);
                    }
                    t.gradient.data().release();
                    if (behind != null) passed(t.of);
                }
            }
        }

        /// All that was made from `x` has been passed before. Its memory may be that of one of its inputs, which are still to come.
        private void passed(Tensor x) {
            var root = x.data().root();
            if (x.op().inputs().stream().noneMatch(input -> input.data().root().equals(root))) behind.free(root);
        }

        @Override
        public boolean wants(Tensor x) {
            return x.requiresGrad();
        }

        @Override
        public void into(Tensor x, Supplier<Tensor> gradient) {
            if (!x.requiresGrad()) return;
            var g = gradient.get();
            if (!g.shape().equals(x.shape())) throw new ShapeException("a gradient of shape " + g.shape() + " for " + x);
            if (x.birth() <= floor) {
                // Not added up here first: handed over one by one, gradients add up in the order they would without a checkpoint, bit by bit.
                g.data().retain();
                end.reached(x, g);
                return;
            }
            var before = due.get(x.birth());
            if (before == null) {
                g.data().retain();
                due.put(x.birth(), new Due(x, g));
                return;
            }
            if (before.gradient.data().references() == 1 && !before.gradient.data().equals(g.data())) {
                // Nobody else looks at this memory: add in place.
                x.backend().axpy(before.gradient.data(), 1, g.data());
                return;
            }
            var sum = before.gradient.add(g);
            sum.data().retain();
            before.gradient.data().release();
            due.put(x.birth(), new Due(x, sum));
        }
    }
}
