package otherwise.cli.weights;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/// `otherwise weights`
@Command(
        name = "weights",
        description = "Work with checkpoints: those that others publish, and files at hand.",
        mixinStandardHelpOptions = true,
        subcommands = {WeightsList.class, WeightsGet.class, WeightsConvert.class, WeightsCheck.class, WeightsRandom.class},
        synopsisSubcommandLabel = "list|get|convert|check|random")
public final class WeightsVerb implements Callable<Integer> {
    @Override
    public Integer call() {
        throw new IllegalArgumentException("weights what? list, get, convert, check or random; see: otherwise weights --help");
    }
}
