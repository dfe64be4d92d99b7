package otherwise.cli.inspect;

import java.util.LinkedHashMap;
import java.util.Map;
import otherwise.autograd.Activations;
import otherwise.autograd.Gradients;
import otherwise.backend.DType;
import otherwise.backend.Shape;
import otherwise.backend.dry.DryBackend;
import otherwise.backend.dry.Work;
import otherwise.nn.Trace;
import otherwise.nn.Weights;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// A network on a device that computes nothing: what it asks for, and what its passes would take. No weight is read.
///
/// @param asked the tensors of its checkpoint
/// @param weights bytes of them in the type of computation
/// @param passes what each way through it takes
record DryRun(Map<String, Shape> asked, long weights, Map<Pass, Cost> passes) {

    /// What a pass takes, beside the weights; bytes are those of the device's pool.
    ///
    /// @param forward work by place
    /// @param forwardBytes with nothing remembered
    /// @param back work of forward and way back to the input together; `null` where there is no way back
    /// @param kept bytes with all activations kept; `recomputed` with each layer's forgotten; 0 where that cannot be
    record Cost(Map<String, Work> forward, long forwardBytes, Work back, long kept, long recomputed) {

        Work whole() {
            return forward.values().stream().reduce(Work.NONE, Work::plus);
        }
    }

    static DryRun of(Subject subject, Size size) {
        var asked = new LinkedHashMap<String, Shape>();
        try (var backend = new DryBackend(DType.F32, Trace::path);
                var _ = backend.scope()) {
            var weights = Weights.of(new Weights.Source() {
                @Override
                public Tensor tensor(String name, Shape expected) {
                    asked.put(name, expected);
                    return Tensor.blank(backend, expected);
                }

                @Override
                public boolean has(String name) {
                    return asked.containsKey(name);
                }
            });
            var passes = subject.load().apply(weights, size);
            long bytes = backend.memory().used();
            var costs = new LinkedHashMap<Pass, Cost>();
            for (var pass : passes) costs.put(pass, cost(backend, pass, bytes));
            return new DryRun(asked, bytes, costs);
        }
    }

    private static Cost cost(DryBackend backend, Pass pass, long weights) {
        backend.restart();
        try (var _ = backend.scope();
                var _ = Tape.off();
                var _ = Trace.follow(_ -> {})) {
            pass.network().run(Tensor.zeros(backend, pass.input()), Activations.RECOMPUTE);
        }
        var forward = new LinkedHashMap<>(backend.work());
        long forwardBytes = backend.memory().footprint() - weights;
        long recomputed = pass.recomputes() ? back(backend, pass, Activations.RECOMPUTE) - weights : 0;
        long kept = back(backend, pass, Activations.KEEP);
        var back = backend.work().values().stream().reduce(Work.NONE, Work::plus);
        return new Cost(forward, forwardBytes, kept == 0 ? null : back, Math.max(0, kept - weights), recomputed);
    }

    /// The footprint of a forward pass and the way back to its input; 0 if the output remembers nothing.
    private static long back(DryBackend backend, Pass pass, Activations activations) {
        backend.restart();
        try (var _ = backend.scope()) {
            var y = pass.network().run(Tensor.zeros(backend, pass.input()).variable(), activations);
            if (!y.requiresGrad()) return 0;
            Gradients.of(y, Tensor.full(backend, 1, y.shape().dims()));
        }
        return backend.memory().footprint();
    }
}
