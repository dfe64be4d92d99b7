package otherwise.autograd;

import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import otherwise.backend.Scope;
import otherwise.backend.Storage;
import otherwise.tensor.Op;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// A piece of a layer whose intermediate results serve for nothing but its output, and for the way back.
public final class Transient {
    private Transient() {}

    /// f(). What f needed on its way is freed as soon as it is done, not at the end of the layer, but for what the way back reads
    /// ([Op#saved]): with frozen weights that is seldom what went into them.
    public static Tensor of(Supplier<Tensor> f) {
        long floor = Tensor.now();
        try (var scope = Scope.open()) {
            var y = f.get();
            if (Tape.recording()) {
                unread(y, floor).forEach(scope::free);
                scope.leave();
            } else {
                scope.keep(y.data());
            }
            return y;
        }
    }

    /// Memory of the tensors from which `y` was made, born after `floor`, that nobody reads any more.
    private static Set<Storage> unread(Tensor y, long floor) {
        var made = new LinkedHashSet<Storage>();
        var read = new HashSet<>(List.of(y.data().root()));
        var seen = new HashSet<Tensor>();
        var open = new ArrayDeque<>(List.of(y));
        while (!open.isEmpty()) {
            var op = open.pop().op();
            if (op == null) continue;
            if (op instanceof Op.Custom) return Set.of();
            for (var x : op.saved()) read.add(x.data().root());
            for (var x : op.inputs()) {
                if (x.birth() <= floor || !seen.add(x)) continue;
                made.add(x.data().root());
                open.push(x);
            }
        }
        made.removeAll(read);
        return made;
    }
}
