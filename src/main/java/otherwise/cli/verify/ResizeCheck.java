package otherwise.cli.verify;

import java.util.List;
import java.util.Map;
import otherwise.autograd.Gradients;
import otherwise.nn.Interpolation;
import otherwise.tensor.Tensor;

/// Resizing: every `out/<case>/<mode>/y`, in the size of `in/<case>/proj`, with the gradient of Σ y · proj to the input. All axes behind the
/// first two are resized.
final class ResizeCheck implements Check {

    @Override
    public List<String> kinds() {
        return List.of("resize");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        for (var name : golden.file().names()) {
            var parts = name.split("/");
            if (parts.length != 4 || !parts[0].equals("out") || !parts[3].equals("y")) continue;
            try (var _ = golden.backend().scope()) {
                var x = golden.in(parts[1] + "/x").variable();
                var proj = golden.in(parts[1] + "/proj");
                var y = resize(mode(parts[2]), x, proj.shape().dims());
                comparison.compare(name, y);
                var gradients = Gradients.of(y.mul(proj).sum());
                comparison.gradients("grad/" + parts[1] + "/" + parts[2] + "/", gradients, Map.of("x", x), Map.of());
            }
        }
    }

    private static Interpolation mode(String name) {
        return switch (name) {
            case "nearest_exact" -> Interpolation.NEAREST_EXACT;
            case "bilinear", "trilinear" -> Interpolation.BILINEAR;
            case "bicubic" -> Interpolation.BICUBIC;
            case "bilinear_aa" -> Interpolation.BILINEAR_ANTIALIAS;
            case "bicubic_aa" -> Interpolation.BICUBIC_ANTIALIAS;
            default -> throw new IllegalArgumentException("no way to resize is called '" + name + "'");
        };
    }

    private static Tensor resize(Interpolation mode, Tensor x, long[] to) {
        return switch (to.length) {
            case 4 -> mode.resize(x, to[2], to[3]);
            case 5 -> mode.resize(x, to[2], to[3], to[4]);
            default -> throw new IllegalArgumentException("pictures have 4 axes and clips 5, not " + to.length);
        };
    }
}
