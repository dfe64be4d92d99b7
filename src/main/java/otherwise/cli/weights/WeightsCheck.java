package otherwise.cli.weights;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import otherwise.cli.ExitCode;
import otherwise.explain.Blueprint;
import otherwise.io.TensorFile;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `otherwise weights check`
@Command(
        name = "check",
        description = {
            "Compare a checkpoint with what a model asks for: tensors that are missing, unexpected or of another shape.",
            "Only names and shapes are read."
        },
        mixinStandardHelpOptions = true,
        footer = {"", "Example:", "  otherwise weights check Wan2.1_VAE.pth --as wan-vae", "Exit code 1: they differ."})
final class WeightsCheck implements Callable<Integer> {
    private static final int SHOWN = 20;

    @Parameters(paramLabel = "FILE", description = "A .safetensors, .pth or .pt file, or the *.index.json of several.")
    private Path path;

    @Option(names = "--as", paramLabel = "MODEL",
            description = "wan-i2v-14b, wan-t2v-14b, wan-t2v-1.3b, wan-vae, clip-vit-h-14, swin3d-t, swin3d-s, swin3d-b … "
                    + "Default: what the file's metadata says, or else the one that it has most in common with.")
    private String model;

    @Option(names = "--all", description = "Name all tensors that differ, not only the first " + SHOWN + " of each sort.")
    private boolean all;

    @Override
    public Integer call() throws IOException {
        try (var file = TensorFile.open(path)) {
            var blueprint = blueprint(file);
            var fit = Fit.of(file, blueprint);
            System.out.printf(Locale.ROOT, "names: %s%n", String.join(", ", fit.namings()));
            System.out.printf(Locale.ROOT, "tensors: %d of %d fit, %,d elements, %s%n", fit.fitting(), blueprint.expected().size(),
                    fit.elements(),
                    fit.dtypes().entrySet().stream().map(e -> e.getValue() + " " + e.getKey()).collect(Collectors.joining(", ")));
            print("missing", fit.missing());
            print("of another shape", fit.misshapen());
            print("unexpected", fit.unexpected());
            if (!fit.spare().isEmpty()) {
                System.out.printf(Locale.ROOT, "not needed: %d, such as %s%n", fit.spare().size(), fit.spare().getFirst());
            }
            System.out.println(path + ": " + (fit.fits() ? "fits " : "does not fit ") + blueprint.name());
            return fit.fits() ? ExitCode.DONE : ExitCode.NO;
        }
    }

    private Blueprint blueprint(TensorFile file) throws IOException {
        if (model != null) {
            var published = Blueprint.published();
            return published.stream().filter(b -> b.name().equals(model)).findFirst().orElseThrow(() -> new IllegalArgumentException(
                    "no model is called '" + model + "'; there are "
                            + published.stream().map(Blueprint::name).collect(Collectors.joining(", "))));
        }
        var stated = Blueprint.stated(file);
        if (stated.isPresent()) {
            System.out.println("as " + stated.get().what());
            return stated.get();
        }
        var guess = Blueprint.guess(file).orElseThrow(() -> new IllegalArgumentException(
                path + ": has no tensor in common with a model that we know; --as says which it should be"));
        System.out.printf(Locale.ROOT, "as %s (%s), guessed: it has %.0f %% of the tensors%n", guess.name(), guess.what(),
                100 * guess.share(file));
        return guess;
    }

    private void print(String what, List<String> lines) {
        if (lines.isEmpty()) return;
        System.out.println(what + ": " + lines.size());
        int shown = all ? lines.size() : Math.min(SHOWN, lines.size());
        for (var line : lines.subList(0, shown)) System.out.println("  " + line);
        if (shown < lines.size()) System.out.println("  … and " + (lines.size() - shown) + " more; --all names them");
    }
}
