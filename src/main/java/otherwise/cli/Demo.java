package otherwise.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import otherwise.data.ShapeMoving;
import otherwise.explain.BttfOptions;
import otherwise.explain.Models;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `otherwise demo`: the main job on a clip that needs no file, with nothing to choose.
@Command(
        name = "demo",
        description = "Explain a clip of the data set: why down, and not left?",
        mixinStandardHelpOptions = true,
        footer = {"", "Example:", "  otherwise demo"})
final class Demo implements Callable<Integer> {
    private static final long SEED = 1;

    /// A held-out clip that moves down: one of the better answers of `otherwise evaluate`, to the same bytes.
    private static final long CLIP = 33;

    private static final String TARGET = "left";

    @Option(names = "--out", paramLabel = "DIR", description = "Folder for the run (default: a new one, otherwise-demo).")
    private Path out;

    @Mixin
    private ModelOptions models;

    @Mixin
    private GraphOptions graphs;

    @Override
    public Integer call() throws IOException {
        var folder = out != null ? out : RunFolder.free(Path.of("otherwise-demo"));
        var clip = VideoOptions.sample(SEED, CLIP, Models.format(models.files()));
        var answer = Explanation.of(folder, clip, TARGET, Evaluate.seeded(BttfOptions.standard(), SEED, CLIP), models, graphs);
        if (answer != null) {
            var picture = folder.resolve("what-if.png");
            Evaluate.draw(picture, VideoOptions.scene(SEED, CLIP), ShapeMoving.classNamed(TARGET), answer.video());
            System.out.println("picture: " + picture);
        }
        return Explain.verdict(answer);
    }
}
