package otherwise.cli.bench;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/// The same computations in libtorch, written as its users write them.
public final class LibTorch implements Engine {

    @Override
    public String name() {
        return "libtorch";
    }

    @Override
    public void threads(int count) {
        torch.set_num_threads(count);
    }

    @Override
    public void close() {}

    @Override
    public Workload prepare(String kind, List<Array> inputs, Map<String, Long> numbers) {
        var given = new HashMap<String, Tensor>();
        for (var array : inputs) given.put(array.name(), tensor(array));
        return switch (kind) {
            case "matmul" -> new Run(given, () -> List.of(torch.matmul(given.get("a"), given.get("b"))));
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
            case "wan_block" -> back(given, new WanBlockInTorch(given, numbers), "x");
            default -> throw new IllegalArgumentException("no benchmark of kind '" + kind + "'");
        };
    }

    private static Tensor tensor(Array array) {
        return torch.from_blob(new FloatPointer(array.values()), array.dims()).clone();
    }

    private static Workload back(Map<String, Tensor> given, Supplier<Tensor> forward, String... variables) {
        for (var name : variables) given.get(name).requires_grad_(true);
        return new Run(given, () -> {
            var y = forward.get();
            for (var name : variables) given.get(name).mutable_grad().reset();
            y.backward(given.get("dy"), new BoolOptional(), false, new TensorArrayRefOptional());
            var results = new ArrayList<Tensor>(List.of(y.detach()));
            for (var name : variables) results.add(given.get(name).grad());
            return results;
        });
    }

    /// One block of the official Wan transformer.
    private record WanBlockInTorch(Map<String, Tensor> given, Map<String, Long> numbers, Tensor cos, Tensor sin) implements Supplier<Tensor> {
        WanBlockInTorch(Map<String, Tensor> given, Map<String, Long> numbers) {
            this(given, numbers, table(given, numbers, true), table(given, numbers, false));
        }

        private static Tensor table(Map<String, Tensor> given, Map<String, Long> numbers, boolean cos) {
            int half = (int) (given.get("x").size(2) / numbers.get("heads") / 2);
            long rows = numbers.get("rows");
            long columns = numbers.get("columns");
            int tokens = (int) (numbers.get("frames") * rows * columns);
            int spatial = half / 3;
            int temporal = half - 2 * spatial;
            var values = new float[tokens * half];
            for (int t = 0; t < tokens; t++) {
                long[] at = {t / (rows * columns), t / columns % rows, t % columns};
                for (int j = 0; j < half; j++) {
                    int axis = j < temporal ? 0 : j < temporal + spatial ? 1 : 2;
                    int k = axis == 0 ? j : (j - temporal) % spatial;
                    double angle = at[axis] * Math.pow(10000, -k / (double) (axis == 0 ? temporal : spatial));
                    values[t * half + j] = (float) (cos ? Math.cos(angle) : Math.sin(angle));
                }
            }
            return tensor(new Array("table", values, 1, tokens, 1, half));
        }

        @Override
        public Tensor get() {
            var x = given.get("x");
            long c = x.size(2);
            var m = given.get("modulation").add(given.get("e"));
            var one = new Scalar(1.0);
            var look = modulated(norm(x, null, null), m, 0, one);
            var q = turn(heads(rms(linear("self_attn.q", look), "self_attn.norm_q")));
            var k = turn(heads(rms(linear("self_attn.k", look), "self_attn.norm_k")));
            var v = heads(linear("self_attn.v", look));
            var seen = x.add(linear("self_attn.o", attend(q, k, v, c)).mul(m.narrow(1, 2, 1)));

            var asked = norm(seen, given.get("norm3.weight"), given.get("norm3.bias"));
            var text = given.get("text");
            var cq = heads(rms(linear("cross_attn.q", asked), "cross_attn.norm_q"));
            var ck = heads(rms(linear("cross_attn.k", text), "cross_attn.norm_k"));
            var cv = heads(linear("cross_attn.v", text));
            var told = seen.add(linear("cross_attn.o", attend(cq, ck, cv, c)));

            var think = modulated(norm(told, null, null), m, 3, one);
            var inner = torch.gelu(linear("ffn.0", think), "tanh");
            return told.add(linear("ffn.2", inner).mul(m.narrow(1, 5, 1)));
        }

        private Tensor linear(String name, Tensor x) {
            return torch.linear(x, given.get(name + ".weight"), new TensorOptional(given.get(name + ".bias")));
        }

        private Tensor rms(Tensor x, String name) {
            return torch.rms_norm(x, new long[] {x.size(2)}, new TensorOptional(given.get(name + ".weight")), new DoubleOptional(1e-6));
        }

        private static Tensor norm(Tensor x, Tensor weight, Tensor bias) {
            var w = weight == null ? new TensorOptional() : new TensorOptional(weight);
            var b = bias == null ? new TensorOptional() : new TensorOptional(bias);
            return torch.layer_norm(x, new long[] {x.size(2)}, w, b, 1e-6, true);
        }

        private static Tensor modulated(Tensor x, Tensor m, int first, Scalar one) {
            return x.mul(m.narrow(1, first + 1, 1).add(one)).add(m.narrow(1, first, 1));
        }

        private Tensor heads(Tensor x) {
            long n = numbers.get("heads");
            return x.view(x.size(0), x.size(1), n, x.size(2) / n);
        }

        /// Adjacent pairs turned by the angle of their token.
        private Tensor turn(Tensor x) {
            var pairs = x.view(x.size(0), x.size(1), x.size(2), x.size(3) / 2, 2);
            var even = pairs.select(4, 0);
            var odd = pairs.select(4, 1);
            var turned = torch.stack(
                    new org.bytedeco.pytorch.TensorVector(even.mul(cos).sub(odd.mul(sin)), even.mul(sin).add(odd.mul(cos))), 4);
            return turned.view(x.size(0), x.size(1), x.size(2), x.size(3));
        }

        private static Tensor attend(Tensor q, Tensor k, Tensor v, long c) {
            var y = torch.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2);
            return y.reshape(y.size(0), y.size(1), c);
        }
    }

    private static final class Run implements Workload {
        private final Map<String, Tensor> given;
        private final Supplier<List<Tensor>> work;

        Run(Map<String, Tensor> given, Supplier<List<Tensor>> work) {
            this.given = given;
            this.work = work;
        }

        @Override
        public void run() {
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
