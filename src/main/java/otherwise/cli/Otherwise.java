package otherwise.cli;

import java.util.concurrent.Callable;
import otherwise.cli.bench.Bench;
import otherwise.cli.inspect.Inspect;
import otherwise.cli.weights.WeightsVerb;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/// The door: `otherwise VERB …`. Every verb is a type of its own in this package, a `Callable<Integer>` that returns its exit code.
///
/// Exit codes: 0 done, 1 the answer is no (not flipped, not equal), 2 wrong usage or input, 3 the machine cannot.
@Command(
        name = "otherwise",
        description = {
            "Counterfactual explanations for video: finds the closest realistic video",
            "that a classifier would have called something else."
        },
        footer = {"", "Exit codes: 0 done, 1 the answer is no, 2 wrong usage or input, 3 the machine cannot."},
        synopsisSubcommandLabel = "VERB",
        mixinStandardHelpOptions = true,
        versionProvider = Otherwise.Version.class,
        subcommands = {
            Demo.class, Explain.class, Classify.class, Generate.class, Train.class, Evaluate.class, EvaluateGenerator.class, Data.class,
            EncodePrompt.class, WeightsVerb.class, Inspect.class, Verify.class, Devices.class, Bench.class,
            HelpCommand.class
        })
public final class Otherwise implements Callable<Integer> {

    @Option(names = "--stacktrace", scope = ScopeType.INHERIT, description = "Show where an error came from.")
    private boolean stacktrace;

    private Otherwise() {}

    /// Without a verb there is nothing to do but to say which there are.
    @Override
    public Integer call() {
        CommandLine.usage(this, System.err);
        return ExitCode.WRONG_INPUT;
    }

    /// Parses `args`, runs the verb, and returns its exit code. Never throws: a failure is one line on standard error.
    public static int run(String... args) {
        var root = new Otherwise();
        var commands = new CommandLine(root)
                .setUsageHelpAutoWidth(true)
                .setUsageHelpLongOptionsMaxWidth(30)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler((wrong, given) -> Failure.usage(wrong))
                .setExecutionExceptionHandler((failure, command, parsed) -> Failure.report(failure, root.stacktrace));
        try {
            return commands.execute(args);
        } catch (OutOfMemoryError | StackOverflowError | LinkageError e) {
            // Which picocli lets through.
            return Failure.report(e, root.stacktrace);
        }
    }

    /// Runs a verb and ends the process with its exit code.
    public static void main(String[] args) {
        StandardError.restore();
        int code = run(args);
        System.out.flush();
        System.exit(code);
    }

    /// The version comes from the jar's manifest, so that only the build knows it.
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            var version = Otherwise.class.getPackage().getImplementationVersion();
            var system = System.getProperty("os.name") + " " + System.getProperty("os.arch");
            return new String[] {
                "otherwise " + (version == null ? "(not from a jar)" : version) + ", Java " + Runtime.version() + ", " + system};
        }
    }
}
