package otherwise.cli.weights;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/// `otherwise weights`
@Command(
        name = "weights",
        description = "Work with checkpoints: those that others publish, and files at hand.",
        mixinStandardHelpOptions = true,
        subcommands = {WeightsList.class, WeightsGet.class, WeightsConvert.class, WeightsCheck.class},
        synopsisSubcommandLabel = "list|get|convert|check")
public final class WeightsVerb implements Callable<Integer> {
    @Override
    public Integer call() {
        throw new IllegalArgumentException("weights what? list, get, convert or check; see: otherwise weights --help");
    }
}
