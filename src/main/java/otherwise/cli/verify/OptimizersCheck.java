package otherwise.cli.verify;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import otherwise.tensor.Tensor;
import otherwise.train.Adam;
import otherwise.train.AdamW;
import otherwise.train.GradientClip;
import otherwise.train.Optimizer;
import otherwise.train.Sgd;

/// Optimiser steps from `in/p0` along `in/grads`, `[steps, n]`, with the hyper-parameters of the metadata `configs`; and
/// `out/clip_grad_norm_<limit>/{total_norm, a, b, …}`, the first gradients (cut to the stored lengths) clipped together.
final class OptimizersCheck implements Check {
    private static final Pattern CLIP = Pattern.compile("out/clip_grad_norm_([0-9.]+)/total_norm");

    @Override
    public List<String> kinds() {
        return List.of("optimizers");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        for (var config : golden.json("configs").properties()) steps(golden, comparison, config.getKey(), config.getValue());
        for (var name : golden.file().names()) {
            var match = CLIP.matcher(name);
            if (match.matches()) clip(golden, comparison, Double.parseDouble(match.group(1)), name.substring(0, name.lastIndexOf('/') + 1));
        }
    }

    private static void steps(Golden golden, Comparison comparison, String name, JsonNode config) {
        var p = golden.in("p0").copy();
        var optimizer = optimizer(config, p);
        if (optimizer == null) return; // Of a type not known here: its tensors are then reported as not checked.
        var gradients = golden.in("grads");
        var after = new ArrayList<Tensor>();
        for (int i = 0; i < gradients.dim(0); i++) {
            optimizer.step(List.of(gradients.select(0, i)), config.required("lr").asDouble());
            after.add(p.copy());
        }
        var out = "out/" + name + "/";
        comparison.compare(out + "params", Tensor.stack(after));
        optimizer.state().forEach((key, state) -> comparison.compare(out + key.substring(0, key.indexOf('.')), state));
    }

    private static Optimizer optimizer(JsonNode config, Tensor p) {
        var parameters = Map.of("p", p);
        double decay = config.path("weight_decay").asDouble(0);
        return switch (config.required("type").asText()) {
            case "AdamW" -> new AdamW(parameters, adam(config, decay));
            case "Adam" -> new Adam(parameters, adam(config, decay));
            case "SGD" ->
                new Sgd(parameters, new Sgd.Settings(config.path("momentum").asDouble(0), config.path("nesterov").asBoolean(false), decay));
            default -> null;
        };
    }

    private static AdamW.Settings adam(JsonNode config, double decay) {
        var betas = config.path("betas");
        return new AdamW.Settings(betas.path(0).asDouble(0.9), betas.path(1).asDouble(0.999), config.path("eps").asDouble(1e-8), decay);
    }

    private static void clip(Golden golden, Comparison comparison, double limit, String out) {
        var gradients = golden.in("grads");
        var parts = new ArrayList<Tensor>();
        for (char c = 'a'; golden.has(out + c); c++) {
            parts.add(gradients.select(0, parts.size()).slice(0, 0, golden.shape(out + c).dim(0)));
        }
        var clipped = GradientClip.to(limit, parts);
        comparison.compare(out + "total_norm", new double[] {clipped.norm()});
        for (int i = 0; i < parts.size(); i++) comparison.compare(out + (char) ('a' + i), clipped.gradients().get(i));
    }
}
