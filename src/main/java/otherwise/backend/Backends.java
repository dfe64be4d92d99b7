package otherwise.backend;

import java.util.List;
import otherwise.backend.cpu.CpuBackend;

/// The devices by name. An absent one is an error that says why; nothing falls back in silence.
public final class Backends {
    private Backends() {}

    /// The names that [#open] knows.
    public static List<String> names() {
        return List.of("cpu");
    }

    /// Opens a device.
    ///
    /// @param threads how many threads it may use; 0 means all processors
    /// @throws DeviceException if there is no such device, or it is not present here
    public static Backend open(String name, int threads) {
        return switch (name) {
            case "cpu" -> new CpuBackend(threads);
            default -> throw new DeviceException("no device named '" + name + "'; there are: " + String.join(", ", names()));
        };
    }
}
