package otherwise.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;

/// The door: `otherwise VERB …`.
@Command(
        name = "otherwise",
        description = "Finds the closest realistic video that a classifier would have called something else.",
        mixinStandardHelpOptions = true,
        version = "otherwise 0.1.0",
        subcommands = {HelpCommand.class})
public final class Otherwise implements Runnable {

    private Otherwise() {}

    /// Without a verb: says which there are.
    @Override
    public void run() {
        CommandLine.usage(this, System.out);
    }

    /// Parses, runs, and ends the process with the command's exit code.
    public static void main(String[] args) {
        System.exit(new CommandLine(new Otherwise()).execute(args));
    }
}
