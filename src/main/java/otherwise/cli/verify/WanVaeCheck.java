package otherwise.cli.verify;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import otherwise.autograd.Activations;
import otherwise.autograd.Gradients;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanVae;
import otherwise.models.wan.WanVaeConfig;
import otherwise.nn.Trace;
import otherwise.tensor.Tensor;

/// The Wan autoencoder: latents or pixels, and gradients to inputs and weights.
///
/// Every case runs over the whole clip, once keeping all activations and once computing them again, and piece by piece as the official
/// code did: only then can the intermediate results be compared, which that code has for each piece.
final class WanVaeCheck implements Check {

    @Override
    public List<String> kinds() {
        return List.of("wan_vae");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        var config = WanVaeConfig.of(golden.config());
        var scale = golden.has("in/scale_mean")
                ? new LatentScale(floats(golden.values("in/scale_mean")), floats(golden.values("in/scale_std")))
                : LatentScale.wan2_1();
        for (var name : golden.cases()) {
            try (var _ = golden.backend().scope()) {
                boolean toWeights = golden.file().names().stream().anyMatch(n -> n.startsWith("grad/" + name + "/weights/"));
                var parameters = toWeights ? golden.parameters() : new Golden.Parameters(golden.weights(), Map.of());
                new Case(golden, comparison, name, parameters, WanVae.load(parameters.weights(), config, scale)).run();
            }
        }
    }

    private static List<Float> floats(double[] values) {
        var floats = new ArrayList<Float>();
        for (double value : values) floats.add((float) value);
        return floats;
    }

    private record Case(Golden golden, Comparison comparison, String name, Golden.Parameters parameters, WanVae vae) {

        void run() {
            boolean encodes = golden.has("in/" + name + "/x");
            var input = golden.in(name + (encodes ? "/x" : "/z")).variable();
            for (var activations : Activations.values()) {
                try (var _ = golden.backend().scope()) {
                    judge(encodes ? vae.encode(input, activations) : vae.decode(input, activations), input, encodes);
                }
            }
            try (var _ = Trace.listen(new ByPiece(comparison, "mid/" + name + "/")::note)) {
                comparison.compare(result(encodes), encodes ? vae.encodeInPieces(input) : vae.decodeInPieces(input));
            }
        }

        private String result(boolean encodes) {
            return "out/" + name + (encodes ? "/mu" : "/video");
        }

        private void judge(Tensor output, Tensor input, boolean encodes) {
            comparison.compare(result(encodes), output);
            var loss = output.mul(golden.in(name + "/proj")).sum();
            comparison.compare("out/" + name + "/loss", loss);
            comparison.gradients("grad/" + name + "/", Gradients.of(loss), Map.of(encodes ? "x" : "z", input), parameters.asked());
        }
    }

    /// Numbers the notes of one name: a layer's first has the plain name, the following end in `#1`, `#2`, …
    private record ByPiece(Comparison comparison, String prefix, Map<String, Integer> seen) {

        ByPiece(Comparison comparison, String prefix) {
            this(comparison, prefix, new HashMap<>());
        }

        void note(String name, Tensor x) {
            int n = seen.merge(name, 1, Integer::sum) - 1;
            comparison.compare(prefix + name + (n == 0 ? "" : "#" + n), x.detach());
        }
    }
}
