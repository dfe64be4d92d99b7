package otherwise.cli.verify;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import otherwise.autograd.Activations;
import otherwise.autograd.Gradients;
import otherwise.models.wan.Positions;
import otherwise.models.wan.WanConfig;
import otherwise.models.wan.WanTransformer;
import otherwise.tensor.Tensor;

/// The Wan transformer: velocity, intermediate results, and gradients to inputs and weights.
///
/// Every case runs as the official code ran it, a list of samples padded to `seq_len`, once keeping all activations and once computing
/// them again; a case of one sample runs as a batch of equal sizes too. The worst of them counts.
final class WanDitCheck implements Check {

    @Override
    public List<String> kinds() {
        return List.of("wan_dit");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        var config = config(golden, golden.config(), "weights/");
        angles(golden, comparison, config);
        for (var name : golden.cases()) {
            try (var _ = golden.backend().scope()) {
                new Case(golden, comparison, config, name).run();
            }
        }
    }

    /// The file's configuration. Where it leaves out the width of the image features, the weights below `prefix` tell.
    static WanConfig config(Golden golden, JsonNode json, String prefix) {
        var config = WanConfig.of(json);
        var norm = prefix + "img_emb.proj.0.weight";
        return json.has("clip_dim") || !golden.has(norm) ? config : config.withClipDim((int) golden.shape(norm).dim(0));
    }

    /// The rotary tables at the first positions, the same on all three axes.
    private static void angles(Golden golden, Comparison comparison, WanConfig config) {
        if (!comparison.expects("mid/freqs_cos_first8")) return;
        int positions = (int) golden.shape("mid/freqs_cos_first8").dim(0);
        int half = config.headDim() / 2;
        var cos = new double[positions * half];
        var sin = new double[cos.length];
        for (int i = 0; i < cos.length; i++) {
            int at = i / half;
            double angle = Positions.angles(config.headDim(), at)[i % half];
            cos[i] = Math.cos(angle);
            sin[i] = Math.sin(angle);
        }
        comparison.compare("mid/freqs_cos_first8", cos, positions, half);
        comparison.compare("mid/freqs_sin_first8", sin, positions, half);
    }

    /// One case: its inputs as variables, and the runs.
    private static final class Case {
        private final Comparison comparison;
        private final String name;
        private final Golden.Parameters parameters;
        private final WanTransformer model;
        private final Map<String, Tensor> inputs = new LinkedHashMap<>();
        private final List<Tensor> x;
        private final List<Tensor> context;
        private final List<Tensor> y;
        private final Tensor clip;
        private final List<Tensor> projections;
        private final double[] t;
        private final long length;

        Case(Golden golden, Comparison comparison, WanConfig config, String name) {
            this.comparison = comparison;
            this.name = name;
            boolean toWeights = golden.file().names().stream().anyMatch(n -> n.startsWith("grad/" + name + "/weights"));
            parameters = toWeights ? golden.parameters() : new Golden.Parameters(golden.weights(), Map.of());
            model = WanTransformer.load(parameters.weights(), config);
            x = variables(golden, "x");
            context = variables(golden, "context");
            y = golden.has(in("y")) || golden.has(in("y.0")) ? variables(golden, "y") : null;
            clip = golden.has(in("clip_fea")) ? variable(golden, "clip_fea") : null;
            projections = names(golden, "proj").stream().map(golden::tensor).toList();
            t = golden.values(in("t"));
            long patch = (long) config.patchT() * config.patchH() * config.patchW();
            long longest = x.stream().mapToLong(s -> s.size() / s.dim(0) / patch).max().orElseThrow();
            length = golden.has(in("seq_len")) ? (long) golden.values(in("seq_len"))[0] : longest;
        }

        void run() {
            List<Tensor> kept;
            try (var _ = comparison.mids("mid/" + name + "/")) {
                kept = model.forward(x, t, context, clip, y, length, Activations.KEEP);
            }
            judge(kept);
            judge(model.forward(x, t, context, clip, y, length, Activations.RECOMPUTE));
            if (x.size() > 1) return;
            var batch = y == null ? null : Tensor.stack(y);
            judge(List.of(model.forward(Tensor.stack(x), t, Tensor.stack(context), clip, batch, Activations.RECOMPUTE).select(0, 0)));
        }

        private void judge(List<Tensor> velocities) {
            var losses = new ArrayList<Tensor>();
            for (int b = 0; b < velocities.size(); b++) {
                comparison.compare("out/" + name + "/x" + (velocities.size() == 1 && !isNumbered() ? "" : "." + b), velocities.get(b));
                losses.add(velocities.get(b).mul(projections.get(b)).sum());
            }
            var loss = losses.stream().reduce(Tensor::add).orElseThrow();
            comparison.compare("out/" + name + "/loss", loss);
            var gradients = Gradients.of(loss);
            comparison.gradients("grad/" + name + "/", gradients, inputs, parameters.asked());
            // Of very large weights, the file keeps only the sums of the gradient's rows and columns.
            parameters.asked().forEach((weight, w) -> {
                sums("grad/" + name + "/weights_rowsum/" + weight, gradients, w, 1);
                sums("grad/" + name + "/weights_colsum/" + weight, gradients, w, 0);
            });
        }

        private void sums(String result, Gradients gradients, Tensor weight, int axis) {
            if (comparison.expects(result)) comparison.compare(result, gradients.to(weight).sum(axis).reshape(-1));
        }

        private boolean isNumbered() {
            return inputs.containsKey("x.0");
        }

        private String in(String what) {
            return "in/" + name + "/" + what;
        }

        /// `x`, or `x.0`, `x.1`, …
        private List<String> names(Golden golden, String what) {
            if (golden.has(in(what))) return List.of(in(what));
            return IntStream.iterate(0, i -> golden.has(in(what + "." + i)), i -> i + 1).mapToObj(i -> in(what + "." + i)).toList();
        }

        private List<Tensor> variables(Golden golden, String what) {
            return names(golden, what).stream().map(full -> variable(golden, full.substring(in("").length()))).toList();
        }

        private Tensor variable(Golden golden, String what) {
            var variable = golden.tensor(in(what)).variable();
            inputs.put(what, variable);
            return variable;
        }
    }
}
