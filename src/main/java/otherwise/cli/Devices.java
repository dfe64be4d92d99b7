package otherwise.cli;

import java.util.concurrent.Callable;
import otherwise.backend.Backends;
import otherwise.backend.DeviceException;
import picocli.CommandLine.Command;

/// `otherwise devices`: where this machine can compute, and why not elsewhere.
@Command(
        name = "devices",
        description = "List the devices that --device can name on this machine.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example:", "  otherwise devices"})
final class Devices implements Callable<Integer> {
    @Override
    public Integer call() {
        for (var name : Backends.names()) {
            try (var backend = Backends.open(name, 0)) {
                System.out.println(name + ": " + backend.description() + ", computes in " + backend.real());
            } catch (DeviceException absent) {
                System.out.println(name + ": absent: " + absent.getMessage());
            }
        }
        return ExitCode.DONE;
    }
}
