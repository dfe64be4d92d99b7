package otherwise.cli.verify;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import otherwise.autograd.Gradients;
import otherwise.backend.Shape;
import otherwise.models.swin.SwinConfig;
import otherwise.models.swin.SwinNames;
import otherwise.models.swin.VideoSwin;
import otherwise.nn.Trace;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// Video Swin as its authors wrote it: the same network with other names, activations channel-first, and the end of a stage noted after the
/// merging. Weights may stand in the file, under the original names, or in the neighbour that its note names.
final class SwinOfficialCheck implements Check {
    private static final Pattern NEIGHBOUR = Pattern.compile("weights are those of (\\S+\\.safetensors)\\b.*");

    @Override
    public List<String> kinds() {
        return List.of("swin3d_official");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        var neighbour = NEIGHBOUR.matcher(golden.text("note"));
        if (!neighbour.matches()) {
            run(golden, comparison, renamed(golden));
            return;
        }
        var path = golden.path().toAbsolutePath().resolveSibling(neighbour.group(1));
        try (var weights = Golden.open(path, golden.backend())) {
            run(golden, comparison, weights.weights());
        } catch (IOException e) {
            throw new UncheckedIOException("the weights' file: " + e.getMessage(), e);
        }
    }

    private static void run(Golden golden, Comparison comparison, Weights weights) {
        var config = Configs.swin(golden.config());
        var swin = VideoSwin.load(weights, config);
        for (var name : golden.cases()) {
            try (var _ = golden.backend().scope();
                    var _ = Trace.listen((note, x) -> compare(comparison, config, name, note, x.detach()))) {
                var x = golden.in(name + "/x").variable();
                var logits = swin.forward(x);
                comparison.compare("out/" + name + "/logits", logits);
                var gradients = Gradients.of(logits.mul(golden.in(name + "/proj")).sum());
                comparison.gradients("grad/" + name + "/", gradients, Map.of("x", x), Map.of());
            }
        }
    }

    private static void compare(Comparison comparison, SwinConfig config, String name, String note, Tensor x) {
        int last = config.depths().size() - 1;
        String official = null;
        if (note.equals("norm")) official = "out/" + name + "/backbone";
        if (note.equals("patch_embed")) official = "mid/" + name + "/patch_embed";
        if (note.equals("features." + 2 * last)) official = "mid/" + name + "/layers." + last;
        for (int i = 0; i < last; i++) if (note.equals("features." + (2 * i + 1))) official = "mid/" + name + "/layers." + i;
        if (official != null) comparison.compare(official, x.permute(0, 4, 1, 2, 3));
    }

    private static Weights renamed(Golden golden) {
        var stored = golden.weights();
        return Weights.of(new Weights.Source() {
            @Override
            public Tensor tensor(String name, Shape expected) {
                return has(name) ? stored.tensor(official(name), expected.dims()) : null;
            }

            @Override
            public boolean has(String name) {
                return stored.has(official(name));
            }

            private String official(String name) {
                return SwinNames.ORIGINAL.origin(name).orElseThrow().names().getFirst();
            }
        });
    }
}
