package otherwise.cli.verify;

import java.util.List;
import java.util.Map;
import otherwise.autograd.Gradients;
import otherwise.models.clip.ClipVision;

/// CLIP's image encoder by its two paths, `all_blocks` and `use_31_block` (all but the last), with gradients of Σ out · proj; and the
/// preparation of pictures, in cases that have a `video` `[3, T, H, W]`.
final class ClipVisionCheck implements Check {

    @Override
    public List<String> kinds() {
        return List.of("clip_vision");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        for (var name : golden.cases()) {
            try (var _ = golden.backend().scope()) {
                if (golden.has("in/" + name + "/video")) {
                    var frames = golden.in(name + "/video").transpose(0, 1); // [T, 3, H, W]
                    int size = Configs.clip(golden.config()).imageSize();
                    comparison.compare("out/" + name + "/pixel_values", ClipVision.preprocess(frames, size));
                } else {
                    encode(golden, comparison, name, "all_blocks");
                    encode(golden, comparison, name, "use_31_block");
                }
            }
        }
    }

    private static void encode(Golden golden, Comparison comparison, String name, String path) {
        var out = name + "/" + path;
        if (!comparison.expects("out/" + out)) return;
        var parameters = golden.parametersFor("grad/" + out + "/weights/");
        var clip = ClipVision.load(parameters.weights(), Configs.clip(golden.config()));
        var x = golden.in(name + "/x").variable();
        try (var _ = comparison.mids("mid/" + name + "/")) {
            var tokens = path.equals("all_blocks") ? clip.forward(x) : clip.features(x);
            comparison.compare("out/" + out, tokens);
            var gradients = Gradients.of(tokens.mul(golden.in(name + "/proj")).sum());
            comparison.gradients("grad/" + out + "/", gradients, Map.of("x", x), parameters.asked());
        }
    }
}
