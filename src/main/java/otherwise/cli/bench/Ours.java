package otherwise.cli.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import otherwise.autograd.Activations;
import otherwise.autograd.Gradients;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.backend.Scope;
import otherwise.backend.Timer;
import otherwise.cli.GraphOptions;
import otherwise.diffusion.EulerSolver;
import otherwise.diffusion.FlowSchedule;
import otherwise.diffusion.Velocity;
import otherwise.explain.Classifier;
import otherwise.explain.Generator;
import otherwise.explain.ModelFiles;
import otherwise.explain.StyleLoss;
import otherwise.models.wan.Positions;
import otherwise.models.wan.WanBlock;
import otherwise.models.wan.WanConfig;
import otherwise.nn.Weights;
import otherwise.tensor.Conv3d;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// This library's side of the benchmarks.
final class Ours implements Engine {
    private final IntFunction<Backend> device;
    private final GraphOptions graphs;
    private final boolean host;
    private final ModelFiles files;
    private Backend opened;
    private Backend backend;

    /// @param device opens it, for so many threads
    /// @param graphs whether networks are done as wholes
    /// @param host whether the device is spared, and only what it is asked for is measured
    Ours(IntFunction<Backend> device, GraphOptions graphs, boolean host, ModelFiles files) {
        this.device = device;
        this.graphs = graphs;
        this.host = host;
        this.files = files;
    }

    @Override
    public String name() {
        return host ? "host" : "otherwise";
    }

    /// Opens the device anew: nothing of what ran before is in its memory.
    @Override
    public void threads(int count) {
        close();
        opened = device.apply(count);
        backend = host ? Backends.dry(opened) : opened;
    }

    /// Bytes of a number on the device.
    int width() {
        return backend.real().bytes();
    }

    /// The most bytes of the device that were in use at any time since [#threads].
    long peak() {
        return backend.memory().peak();
    }

    /// How often the host asks the device for something in a run.
    long calls(Workload workload) {
        long before = backend.calls();
        workload.run();
        return backend.calls() - before;
    }

    @Override
    public void close() {
        var open = opened;
        if (host && backend != null) backend.close();
        opened = null; // also where a fault of the device keeps it from being closed
        backend = null;
        if (open != null) open.close();
    }

    @Override
    public Workload prepare(String kind, List<Array> inputs, Map<String, Long> numbers) {
        var given = new HashMap<String, Tensor>();
        for (var array : inputs) given.put(array.name(), array.on(backend));
        return switch (kind) {
            case "matmul" -> new Run(backend, () -> List.of(given.get("a").matmul(given.get("b"))));
            case "conv3d" -> {
                var x = given.get("x").variable();
                var weight = given.get("weight").variable();
                yield back(given, () -> x.conv3d(weight, given.get("bias"), new Conv3d.Geometry(1, 1, 1, 1, 1, 1, 1, 1, 1)), x, weight);
            }
            case "attention" -> {
                var q = given.get("q").variable();
                var k = given.get("k").variable();
                var v = given.get("v").variable();
                yield back(given, () -> q.attention(k, v, 1 / Math.sqrt(q.dim(3)), null), q, k, v);
            }
            case "attention_forward" -> {
                var q = given.get("q");
                yield new Run(backend, () -> List.of(q.attention(given.get("k"), given.get("v"), 1 / Math.sqrt(q.dim(3)), null)));
            }
            case "layer_norm" -> {
                var x = given.get("x").variable();
                yield back(given, () -> x.layerNorm(given.get("weight"), given.get("bias"), 1e-6), x);
            }
            case "gelu" -> {
                var x = given.get("x").variable();
                yield back(given, x::geluTanh, x);
            }
            case "softmax" -> {
                var x = given.get("x").variable();
                yield back(given, x::softmax, x);
            }
            case "wan_block" -> wanBlock(given, numbers);
            case "vae_decode" -> {
                var vae = VaeCase.load(given, numbers);
                var z = given.get("z").variable();
                yield new Run(backend, () -> VaeCase.run(vae, z, given.get("dy")));
            }
            case "bttf" -> bttf(given, numbers);
            default -> throw new IllegalArgumentException("no benchmark of kind '" + kind + "'");
        };
    }

    private Workload wanBlock(Map<String, Tensor> given, Map<String, Long> numbers) {
        var x = given.get("x").variable();
        int heads = Math.toIntExact(numbers.get("heads"));
        int dim = Math.toIntExact(x.dim(2));
        int ffn = Math.toIntExact(given.get("ffn.0.weight").dim(0));
        int text = Math.toIntExact(given.get("text").dim(1));
        var config = new WanConfig("t2v", List.of(1, 2, 2), text, 16, dim, ffn, 256, 4096, 16, heads, 1, true, true, 1e-6, 1280);
        var block = WanBlock.load(Weights.of(given), config);
        var positions = Positions.of(backend, config.headDim(), numbers.get("frames"), numbers.get("rows"), numbers.get("columns"));
        return back(given, () -> block.forward(x, given.get("e"), given.get("text"), positions), x);
    }

    private Workload bttf(Map<String, Tensor> given, Map<String, Long> numbers) {
        var z = given.get("z").variable();
        Generator generator;
        Classifier classifier;
        Velocity velocity;
        var original = given.get("original");
        try (var _ = Tape.off()) {
            var networks = graphs.open(files, backend);
            generator = networks.generator();
            classifier = networks.classifier();
            velocity = generator.condition(original.slice(2, 0, 1), 1, Activations.KEEP);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        var schedule = FlowSchedule.euler(Math.toIntExact(numbers.get("steps")), generator.shift());
        var style = StyleLoss.against(original);
        return new Run(backend, () -> {
            var video = generator.decode(new EulerSolver(false).integrate(velocity, z, schedule), Activations.KEEP);
            var loss = classifier.logits(video, 0).crossEntropy(numbers.get("target")).add(style.of(video).times(numbers.get("lambda")));
            return List.of(loss.detach(), Gradients.of(loss).to(z));
        });
    }

    /// Forward, then back from `dy` to these variables.
    private Workload back(Map<String, Tensor> given, Supplier<Tensor> forward, Tensor... variables) {
        return new Run(backend, () -> {
            var y = forward.get();
            var results = new ArrayList<>(List.of(y.detach()));
            var gradients = Gradients.of(y, given.get("dy"));
            for (var variable : variables) results.add(gradients.to(variable));
            return results;
        });
    }

    /// Runs in a scope of its own; only the last run's results are kept, when they are asked for.
    private static final class Run implements Workload {
        private final Timer timer;
        private final Supplier<List<Tensor>> work;

        Run(Backend backend, Supplier<List<Tensor>> work) {
            timer = backend.timer();
            this.work = work;
        }

        @Override
        public void run() {
            try (var _ = Scope.open()) {
                var _ = work.get();
            }
        }

        @Override
        public double seconds() {
            timer.start();
            run();
            return timer.stop();
        }

        @Override
        public List<float[]> results() {
            try (var _ = Scope.open()) {
                return work.get().stream().map(Tensor::floats).toList();
            }
        }

        @Override
        public void close() {
            timer.close();
        }
    }
}
