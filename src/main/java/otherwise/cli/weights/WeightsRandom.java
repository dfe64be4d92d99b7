package otherwise.cli.weights;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import otherwise.cli.ExitCode;
import otherwise.explain.Blueprint;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `otherwise weights random`: a checkpoint of the right shape that nobody trained.
@Command(
        name = "random",
        description = {
            "Write a checkpoint of a published model's names and shapes with random numbers in it:",
            "to find out what a model takes in time and memory, without downloading it."
        },
        mixinStandardHelpOptions = true,
        footer = {"", "Example:", "  otherwise weights random wan-i2v-1.3b dit.safetensors --dtype bf16"})
final class WeightsRandom implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "MODEL", description = "A published model; see: otherwise weights check --help.")
    private String model;

    @Parameters(index = "1", paramLabel = "OUT", description = "The result, whose name ends in .safetensors.")
    private Path out;

    @Mixin
    private ResultFile result;

    @Option(names = "--seed", defaultValue = "1", paramLabel = "N", description = "Seed of the numbers (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Override
    public Integer call() throws IOException {
        result.requireFree(out);
        var published = Blueprint.published();
        var blueprint = published.stream().filter(b -> b.name().equals(model)).findFirst().orElseThrow(() -> new IllegalArgumentException(
                "no model is called '" + model + "'; there are "
                        + published.stream().map(Blueprint::name).collect(Collectors.joining(", "))));
        result.write(new RandomFile(model, blueprint.expected(), seed), out);
        return ExitCode.DONE;
    }
}
