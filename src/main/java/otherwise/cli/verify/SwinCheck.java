package otherwise.cli.verify;

import java.util.List;
import java.util.Map;
import otherwise.autograd.Gradients;
import otherwise.models.swin.VideoSwin;

/// Video Swin under torchvision's names: logits, every stage, gradients of Σ logits · proj with respect to the clip and the weights.
final class SwinCheck implements Check {

    @Override
    public List<String> kinds() {
        return List.of("swin3d_torchvision");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        for (var name : golden.cases()) {
            try (var _ = golden.backend().scope()) {
                run(golden, comparison, name);
            }
        }
    }

    private static void run(Golden golden, Comparison comparison, String name) {
        var parameters = golden.parametersFor("grad/" + name + "/weights/");
        var swin = VideoSwin.load(parameters.weights(), Configs.swin(golden.config()));
        var x = golden.in(name + "/x").variable();
        try (var _ = comparison.mids("mid/" + name + "/")) {
            var logits = swin.forward(x);
            comparison.compare("out/" + name + "/logits", logits);
            var gradients = Gradients.of(logits.mul(golden.in(name + "/proj")).sum());
            comparison.gradients("grad/" + name + "/", gradients, Map.of("x", x), parameters.asked());
        }
    }
}
