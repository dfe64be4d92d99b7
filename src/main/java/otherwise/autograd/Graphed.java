package otherwise.autograd;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import otherwise.backend.Backend;
import otherwise.backend.DType;
import otherwise.backend.Graph;
import otherwise.backend.Scope;
import otherwise.backend.Shape;
import otherwise.tensor.Flow;
import otherwise.tensor.Op;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// A function of tensors that a device does as a whole: forward, and from the gradient of its output back to its inputs.
///
/// At the first call the device does f, and takes down what it is told ([Backend#record]). Every later call copies the inputs to where they
/// lay then, has all of it done again, and copies the result from where it came to lie: what the many small works of f cost the host is paid
/// once. The way back is another recording, of f and of the walk from its output to its inputs. So like a [Checkpoint] this keeps nothing but
/// the inputs, and computes f again; checkpoints inside of f save memory, as ever.
///
/// What f does may depend on the shapes and types of its inputs alone: it may not look at numbers. Whatever else it uses must outlive this,
/// and gets no gradient. The inputs are copied, and what f needs on its way has memory that graphs keep, until this is released with the
/// scope in which it was made.
public final class Graphed implements Scope.Owned {
    private final Function<List<Tensor>, Tensor> f;
    private final Map<Key, Recording> recordings = new HashMap<>();
    private boolean released;

    /// @param f gets tensors of the shapes of what [#of] is called with
    public Graphed(Function<List<Tensor>, Tensor> f) {
        this.f = f;
        Scope.adopt(this);
    }

    /// What a recording is for.
    ///
    /// @param variables which inputs need a gradient
    private record Key(List<Shape> shapes, List<DType> types, List<Boolean> variables, boolean back) {

        static Key of(List<Tensor> inputs, boolean back) {
            return new Key(inputs.stream().map(Tensor::shape).toList(), inputs.stream().map(Tensor::type).toList(),
                    inputs.stream().map(Tensor::requiresGrad).toList(), back);
        }
    }

    /// f(inputs)
    ///
    /// @throws otherwise.backend.DeviceException if the device of the inputs takes nothing down
    /// @throws IllegalStateException if this was released
    public Tensor of(Tensor... inputs) {
        var all = List.of(inputs);
        Tensor y;
        try (var _ = Tape.off()) {
            y = recording(false, all, all, this::forward).run(all).getFirst();
        }
        return y.madeBy(new Replay(this, all));
    }

    /// The gradients of the inputs that need one, by that of the output.
    private List<Tensor> back(List<Tensor> inputs, Tensor dy) {
        var all = new ArrayList<>(inputs);
        all.add(dy);
        return recording(true, inputs, all, this::backward).run(all);
    }

    private List<Tensor> forward(List<Tensor> inputs) {
        return List.of(f.apply(inputs).detach());
    }

    private List<Tensor> backward(List<Tensor> inputsAndGradient) {
        var inputs = inputsAndGradient.subList(0, inputsAndGradient.size() - 1);
        Tensor y;
        try (var _ = Tape.on()) {
            y = f.apply(inputs);
        }
        var variables = inputs.stream().filter(Tensor::requiresGrad).toList();
        if (!y.requiresGrad()) return variables.stream().map(x -> Tensor.zeros(x.backend(), x.shape().dims())).toList();
        return Gradients.of(y, inputsAndGradient.getLast()).to(variables);
    }

    private Recording recording(
            boolean back, List<Tensor> inputs, List<Tensor> all, Function<List<Tensor>, List<Tensor>> work) {
        if (released) throw new IllegalStateException("a graphed function outside of the scope in which it was made");
        return recordings.computeIfAbsent(Key.of(inputs, back), _ -> new Recording(all, work));
    }

    @Override
    public void release() {
        released = true;
        recordings.values().forEach(Recording::release);
        recordings.clear();
    }

    /// Work that was taken down, the tensors it reads, and those it makes.
    private static final class Recording {
        private final List<Tensor> inputs = new ArrayList<>();
        private final List<Tensor> outputs = new ArrayList<>();
        private final Graph graph;
        private boolean fresh = true;

        Recording(List<Tensor> first, Function<List<Tensor>, List<Tensor>> work) {
            try {
                for (var x : first) {
                    var own = held(x.copy());
                    inputs.add(x.requiresGrad() ? own.variable() : own);
                }
                graph = backend().record(() -> {
                    try (var _ = Scope.open()) {
                        work.apply(inputs).forEach(y -> outputs.add(held(y)));
                    }
                });
            } catch (RuntimeException e) {
                release(inputs);
                release(outputs);
                throw e;
            }
        }

        private static Tensor held(Tensor x) {
            x.data().retain();
            return x;
        }

        private Backend backend() {
            return inputs.getFirst().backend();
        }

        /// To be recorded is to be done.
        List<Tensor> run(List<Tensor> now) {
            if (!fresh) {
                for (int i = 0; i < now.size(); i++) copy(inputs.get(i), now.get(i));
                graph.run();
            }
            fresh = false;
            return outputs.stream().map(Tensor::copy).toList();
        }

        private static void copy(Tensor to, Tensor from) {
            var dense = new long[] {1};
            to.backend().copy(to.data(), 0, dense, from.data(), 0, dense, new long[] {from.size()});
        }

        void release() {
            release(inputs);
            release(outputs);
            graph.close();
        }

        private static void release(List<Tensor> held) {
            held.forEach(x -> x.data().release());
        }
    }

    /// The op behind an output.
    private record Replay(Graphed function, List<Tensor> inputs) implements Op.Custom {

        @Override
        public void backward(Tensor dy, Flow flow) {
            var gradients = function.back(inputs, dy).iterator();
            for (var x : inputs) {
                if (!x.requiresGrad()) continue;
                var g = gradients.next();
                flow.into(x, () -> g);
            }
        }
    }
}
