package otherwise.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import otherwise.explain.Counterfactual;
import otherwise.explain.ModelFiles;
import otherwise.explain.Models;
import otherwise.io.InvalidFileException;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `otherwise explain`: the closest realistic video of another class.
@Command(
        name = "explain",
        description = "Find the closest realistic video that the classifier would have called something else.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Examples:",
            "  otherwise explain --sample 7 --target left --out why-not-left",
            "  otherwise explain --video clip.mp4",
            "  otherwise explain --resume why-not-left",
            "Ctrl-C saves and says how to go on. Exit code 1: the classifier could not be persuaded."
        })
final class Explain implements Callable<Integer> {
    @ArgGroup(exclusive = true, multiplicity = "1")
    private Beginning beginning;

    private static final class Beginning {
        @ArgGroup(exclusive = false)
        private VideoOptions videos;

        @Option(names = "--resume", paramLabel = "DIR", description = "Go on with the run in this folder.")
        private Path resume;
    }

    @Option(names = "--target", paramLabel = "CLASS", description = "What the classifier should have said (default: its second guess).")
    private String target;

    @Option(names = "--out", paramLabel = "DIR", description = "Folder for the run (default: a new one, otherwise-run).")
    private Path out;

    @Mixin
    private BttfArguments arguments;

    @Mixin
    private ModelOptions models;

    @Mixin
    private GraphOptions graphs;

    @Override
    public Integer call() throws IOException {
        return beginning.resume != null ? resume(new RunFolder(beginning.resume)) : ask();
    }

    private Integer ask() throws IOException {
        var options = arguments.options();
        var clip = beginning.videos.clip(Models.format(models.files()));
        var folder = out != null ? out : RunFolder.free(Path.of("otherwise-run"));
        return verdict(Explanation.of(folder, clip, target, options, models, graphs));
    }

    private Integer resume(RunFolder folder) throws IOException {
        var run = folder.run();
        var files = new ModelFiles(run.models());
        var now = RunFolder.hashes(files);
        for (var e : run.hashes().entrySet()) {
            if (!e.getValue().equals(now.get(e.getKey()))) {
                throw new InvalidFileException(run.models().resolve(e.getKey()),
                        "not the file that the run began with (sha256 " + e.getValue() + ")");
            }
        }
        try (var backend = models.open()) {
            var memory = Explanation.plan(backend, files, graphs, run.options());
            return verdict(new Explanation(folder, run, graphs.open(files, backend), memory).run(backend));
        }
    }

    /// Interrupted, the process ends with the signal's own code whatever this says.
    static Integer verdict(Counterfactual answer) {
        return answer != null && answer.flipped() ? ExitCode.DONE : ExitCode.NO;
    }
}
