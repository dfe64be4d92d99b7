package otherwise.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import otherwise.backend.Backends;
import otherwise.cli.verify.OperationsCheck;
import otherwise.cli.verify.Verification;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `otherwise verify FILE…`: runs golden files of the official code against our networks.
@Command(
        name = "verify",
        mixinStandardHelpOptions = true,
        description = {
            "Runs golden files, made by the official code, against our networks:",
            "a line per stored tensor with its relative error max|a-b|/max|b|, and a verdict.",
            "With --operations, also a device's operations against the CPU's."
        },
        footer = {
            "",
            "Limits: 2e-4 for out/ and mid/, 1e-3 for grad/, or ten times the file's own noise if that is larger;",
            "0.1 on a device that stores bf16, 0.0125 on one that multiplies as TF32.",
            "Exit codes: 0 all agree, 1 something differs or was not checked, 2 an unreadable file or an unknown kind.",
            "",
            "Examples:",
            "  otherwise verify --summary goldens/swin3d_small.safetensors goldens/clip_vision.safetensors",
            "  otherwise verify --operations --device cuda:bf16 --gemm ours --conv ours"
        })
public final class Verify implements Callable<Integer> {

    @Mixin
    private DeviceOptions device;

    @Option(names = "--threads", paramLabel = "N", defaultValue = "0", description = "How many threads; 0 for all processors.")
    private int threads;

    @Option(names = "--operations",
            description = "Compare the device's operations and their gradients with the CPU's, on random numbers, at sizes at which all kernels serve.")
    private boolean operations;

    @Option(names = "--small", description = "With --operations: at sizes for a slow device.")
    private boolean small;

    @Option(names = "--summary", description = "Print only failures and verdicts.")
    private boolean summary;

    @Parameters(arity = "0..*", paramLabel = "FILE", description = "Golden files (.safetensors).")
    private List<Path> files;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        var out = spec.commandLine().getOut();
        var wrong = new ArrayList<String>();
        var unreadable = new ArrayList<String>();
        if (files == null) files = List.of();
        if (files.isEmpty() && !operations)
            throw new IllegalArgumentException("nothing to verify: name golden files, or ask for --operations");
        boolean agree = true;
        try (var backend = device.open(threads)) {
            if (operations) {
                try (var cpu = Backends.open("cpu", threads)) {
                    agree = new OperationsCheck(backend, cpu).run(out, small);
                }
            }
            for (var file : files) {
                try {
                    var verification = Verification.of(file, backend);
                    verification.print(out, summary);
                    if (!verification.ok()) wrong.add(file.getFileName().toString());
                } catch (IOException | UncheckedIOException | IllegalArgumentException e) {
                    // One bad file does not keep the others from being checked.
                    unreadable.add(file.toString());
                    complain(file, e);
                }
                out.flush();
            }
        }
        if (files.size() > 1) total(out, wrong, unreadable);
        out.flush();
        if (!unreadable.isEmpty()) return ExitCode.WRONG_INPUT;
        return wrong.isEmpty() && agree ? ExitCode.DONE : ExitCode.NO;
    }

    private void complain(Path file, Exception e) {
        var message = String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
        var err = spec.commandLine().getErr();
        err.println("otherwise: " + (message.startsWith(file.toString()) ? message : file + ": " + message));
        err.flush();
    }

    private void total(PrintWriter out, List<String> wrong, List<String> unreadable) {
        var line = new StringBuilder("total: " + files.size() + " files, " + (files.size() - wrong.size() - unreadable.size()) + " ok");
        if (!wrong.isEmpty()) line.append(", FAIL: ").append(String.join(", ", wrong));
        if (!unreadable.isEmpty()) line.append(", could not be checked: ").append(String.join(", ", unreadable));
        out.println(line);
    }
}
