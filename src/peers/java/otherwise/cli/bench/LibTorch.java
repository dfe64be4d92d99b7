package otherwise.cli.bench;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.openblas.global.openblas;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/// The same computations in libtorch, written as its users write them, with the better of two numbers of threads in OpenBLAS.
public final class LibTorch implements Engine {
    /// Runs by which the better number of threads in OpenBLAS is found.
    private static final int TRIALS = 3;

    private int threads = 1;

    @Override
    public String name() {
        return "libtorch";
    }

    @Override
    public void threads(int count) {
        threads = count;
        torch.set_num_threads(count);
    }

    @Override
    public void close() {}

    @Override
    public Workload prepare(String kind, List<Array> inputs, Map<String, Long> numbers) {
        var given = new HashMap<String, Tensor>();
        for (var array : inputs) given.put(array.name(), tensor(array));
        return switch (kind) {
            case "matmul" -> new Run(threads, given, () -> List.of(torch.matmul(given.get("a"), given.get("b"))));
            case "conv3d" -> back(
                    given,
                    () -> torch.conv3d(
                            given.get("x"), given.get("weight"), new TensorOptional(given.get("bias")), new long[] {1, 1, 1}, new long[] {1, 1, 1},
                            new long[] {1, 1, 1}, 1),
                    "x", "weight");
            case "attention" -> back(given, () -> {
                // [B, L, N, D], as the projections leave it
                var q = given.get("q").transpose(1, 2);
                var k = given.get("k").transpose(1, 2);
                var v = given.get("v").transpose(1, 2);
                return torch.scaled_dot_product_attention(q, k, v).transpose(1, 2);
            }, "q", "k", "v");
            case "layer_norm" -> back(
                    given,
                    () -> torch.layer_norm(
                            given.get("x"), new long[] {given.get("x").size(1)}, new TensorOptional(given.get("weight")),
                            new TensorOptional(given.get("bias")), 1e-6, true),
                    "x");
            case "gelu" -> back(given, () -> torch.gelu(given.get("x"), "tanh"), "x");
            case "softmax" -> back(given, () -> torch.softmax(given.get("x"), -1), "x");
            case "wan_block" -> {
                long heads = numbers.get("heads");
                var wan = WanInTorch.of(
                        new TorchLayers(given), heads, given.get("x").size(2) / heads, numbers.get("frames"), numbers.get("rows"),
                        numbers.get("columns"));
                yield back(given, () -> wan.block("", given.get("x"), given.get("e"), given.get("text"), null), "x");
            }
            case "bttf" -> back(given, new BttfInTorch(given, numbers), "z");
            default -> throw new IllegalArgumentException("no benchmark of kind '" + kind + "'");
        };
    }

    static Tensor tensor(Array array) {
        return torch.from_blob(new FloatPointer(array.values()), array.dims()).clone();
    }

    private Workload back(Map<String, Tensor> given, Supplier<Tensor> forward, String... variables) {
        for (var name : variables) given.get(name).requires_grad_(true);
        return new Run(threads, given, () -> {
            var y = forward.get();
            for (var name : variables) given.get(name).mutable_grad().reset();
            if (given.containsKey("dy")) y.backward(given.get("dy"), new BoolOptional(), false, new TensorArrayRefOptional());
            else y.sum().backward();
            var results = new ArrayList<Tensor>(List.of(y.detach()));
            for (var name : variables) results.add(given.get(name).grad());
            return results;
        });
    }

    private static final class Run implements Workload {
        private final Map<String, Tensor> given;
        private final Supplier<List<Tensor>> work;
        private final int blasThreads;

        Run(int threads, Map<String, Tensor> given, Supplier<List<Tensor>> work) {
            this.given = given;
            this.work = work;
            blasThreads = fastest(1) <= fastest(threads) ? 1 : threads;
        }

        /// The least time of a few runs with so many threads in OpenBLAS. It has threads of its own, besides libtorch's: a single large
        /// product needs them, but where libtorch itself calls it from all its threads they are in each other's way.
        private double fastest(int threads) {
            openblas.blas_set_num_threads(threads);
            double least = Double.MAX_VALUE;
            for (int i = 0; i < TRIALS; i++) {
                long began = System.nanoTime();
                compute();
                least = Math.min(least, System.nanoTime() - began);
            }
            return least;
        }

        @Override
        public void run() {
            openblas.blas_set_num_threads(blasThreads);
            compute();
        }

        private void compute() {
            try (var _ = new PointerScope()) {
                var _ = work.get();
            }
        }

        @Override
        public List<float[]> results() {
            try (var _ = new PointerScope()) {
                return work.get().stream().map(Run::values).toList();
            }
        }

        private static float[] values(Tensor x) {
            var dense = x.contiguous();
            var values = new float[(int) dense.numel()];
            dense.data_ptr_float().get(values);
            return values;
        }

        @Override
        public void close() {
            given.values().forEach(Tensor::deallocate);
        }
    }
}
