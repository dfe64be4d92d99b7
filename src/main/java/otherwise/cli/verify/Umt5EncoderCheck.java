package otherwise.cli.verify;

import java.util.List;
import java.util.Map;
import otherwise.autograd.Activations;
import otherwise.autograd.Gradients;
import otherwise.models.umt5.Umt5Config;
import otherwise.models.umt5.Umt5Encoder;

/// The text encoder: hidden rows with and without padding, intermediate results, gradients to the embedded tokens and to all weights, and the
/// buckets of relative positions.
///
/// Every case runs keeping all activations and computing them again; a case without padding also runs with one block in memory at a time.
final class Umt5EncoderCheck implements Check {

    @Override
    public List<String> kinds() {
        return List.of("umt5_encoder");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        var config = Umt5Config.of(golden.config());
        buckets(golden, comparison, config);
        for (var name : golden.cases()) {
            if (!golden.has("in/" + name + "/ids")) continue;
            for (var activations : Activations.values()) {
                try (var _ = golden.backend().scope();
                        var _ = comparison.mids("mid/" + name + "/")) {
                    encode(golden, comparison, config, name, activations);
                }
            }
            try (var _ = golden.backend().scope()) {
                inPieces(golden, comparison, config, name);
            }
        }
    }

    private static void encode(Golden golden, Comparison comparison, Umt5Config config, String name, Activations activations) {
        var parameters = golden.parametersFor("grad/" + name + "/weights/");
        var encoder = Umt5Encoder.load(parameters.weights(), config);
        var embedded = encoder.embed(golden.in(name + "/ids"));
        // In two parts, so that the gradient at the embedded tokens shows.
        var seen = embedded.detach().variable();
        var hidden = encoder.encode(seen, lengths(golden, name), activations);
        comparison.compare("out/" + name + "/hidden", hidden);
        if (!golden.has("in/" + name + "/proj")) return;
        var loss = hidden.mul(golden.in(name + "/proj")).sum();
        comparison.compare("out/" + name + "/loss", loss);
        var gradients = Gradients.of(loss);
        comparison.gradients("grad/" + name + "/", gradients, Map.of("token_embedding_out", seen), Map.of());
        var tokens = "token_embedding.weight";
        parameters.asked().forEach((weight, w) -> {
            if (!weight.equals(tokens)) comparison.gradients("grad/" + name + "/", gradients, Map.of(), Map.of(weight, w));
        });
        var table = parameters.asked().get(tokens);
        if (table.requiresGrad()) {
            var toTable = Gradients.of(embedded, gradients.to(seen));
            comparison.gradients("grad/" + name + "/", toTable, Map.of(), Map.of(tokens, table));
        }
    }

    /// How many tokens of each text count, from a mask of ones and, behind them, zeros.
    private static long[] lengths(Golden golden, String name) {
        if (!golden.has("in/" + name + "/mask")) return null;
        var mask = golden.in(name + "/mask");
        var values = mask.doubles();
        var lengths = new long[Math.toIntExact(mask.dim(0))];
        int tokens = Math.toIntExact(mask.dim(1));
        for (int b = 0; b < lengths.length; b++) {
            while (lengths[b] < tokens && values[b * tokens + (int) lengths[b]] != 0) lengths[b]++;
            for (int i = (int) lengths[b]; i < tokens; i++) {
                if (values[b * tokens + i] != 0) {
                    throw new IllegalArgumentException(golden.path() + ": in/" + name + "/mask: padding before the end of text " + b);
                }
            }
        }
        return lengths;
    }

    private static void inPieces(Golden golden, Comparison comparison, Umt5Config config, String name) {
        if (golden.has("in/" + name + "/mask")) return;
        var embedded = Umt5Encoder.load(golden.weights(), config).embed(golden.in(name + "/ids"));
        comparison.compare("out/" + name + "/hidden", Umt5Encoder.encodeInPieces(golden.weights(), config, embedded, i -> {}));
    }

    private static void buckets(Golden golden, Comparison comparison, Umt5Config config) {
        if (!golden.has("in/relative_position")) return;
        var relative = golden.file().longs("in/relative_position");
        var ours = new double[relative.length];
        for (int i = 0; i < ours.length; i++) ours[i] = Umt5Encoder.bucket(relative[i], config.numBuckets());
        // A bucket is right or wrong: a relative error would let one pass for its neighbour.
        var theirs = golden.values("out/relative_position_bucket_bidirectional");
        for (int i = 0; i < ours.length; i++) if (ours[i] != theirs[i]) ours[i] = Double.NaN;
        comparison.compare("out/relative_position_bucket_bidirectional", ours, golden.shape("in/relative_position").dims());
    }
}
