package otherwise.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import otherwise.explain.BttfOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `otherwise demo`: the main job on a clip that needs no file, with nothing to choose.
@Command(
        name = "demo",
        description = "Explain a clip of the data set: why up, and not left?",
        mixinStandardHelpOptions = true,
        footer = {"", "Example:", "  otherwise demo"})
final class Demo implements Callable<Integer> {
    /// A held-out clip that moves up.
    private static final long CLIP = 3;

    @Option(names = "--out", paramLabel = "DIR", description = "Folder for the run (default: a new one, otherwise-demo).")
    private Path out;

    @Mixin
    private ModelOptions models;

    @Mixin
    private GraphOptions graphs;

    @Override
    public Integer call() throws IOException {
        try (var backend = models.open()) {
            var options = BttfOptions.standard();
            var memory = Explanation.plan(backend, models.files(), graphs, options);
            var networks = graphs.open(models.files(), backend);
            var folder = out != null ? out : RunFolder.free(Path.of("otherwise-demo"));
            var clip = VideoOptions.sample(1, CLIP);
            var run = Explanation.ask(folder, clip, "left", options, models, networks, memory);
            return Explain.verdict(run.run(backend));
        }
    }
}
