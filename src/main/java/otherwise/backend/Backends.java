package otherwise.backend;

import java.util.List;
import otherwise.backend.cpu.CpuBackend;
import otherwise.backend.cuda.CudaBackend;
import otherwise.backend.dry.DryBackend;

/// The devices by name. An absent one is an error that says why; nothing falls back in silence.
public final class Backends {
    private static final String SHORT = ":bf16";
    private static final String ROUNDED = ":tf32";

    private Backends() {}

    /// The names that [#open] knows.
    public static List<String> names() {
        return List.of("cpu", "cuda", "cuda-emulated", "cuda-emulated-hopper");
    }

    /// Opens a device, which computes products and convolutions with NVIDIA's libraries where it can.
    ///
    /// @throws DeviceException if there is no such device, or it is not present here
    public static Backend open(String name, int threads) {
        return open(name, threads, Libraries.AUTO);
    }

    /// Opens a device. The CUDA devices may be asked to store numbers in half the room: `cuda:bf16`; or to keep them as they are and to
    /// multiply matrices on tensor cores, which see 10 bits of each number's fraction: `cuda:tf32`.
    ///
    /// @param threads how many threads it may use; 0 means all processors
    /// @param libraries who computes products and convolutions; on a device other than `cuda` it is always we
    /// @throws DeviceException if there is no such device, or it is not present here, or a library is not that is asked for by name
    public static Backend open(String name, int threads, Libraries libraries) {
        if (threads < 0) throw new IllegalArgumentException("--threads " + threads + ": not negative");
        if (!List.of("cuda", "cuda" + SHORT, "cuda" + ROUNDED).contains(name)) libraries.refuse(name);
        var real = name.endsWith(SHORT) ? DType.BF16 : DType.F32;
        boolean tf32 = name.endsWith(ROUNDED);
        var device = name.startsWith("cuda") && (tf32 || real == DType.BF16) ? name.substring(0, name.lastIndexOf(':')) : name;
        return switch (device) {
            case "cpu" -> new CpuBackend(threads);
            case "cuda" -> CudaBackend.open(0, real, tf32, libraries);
            case "cuda-emulated" -> CudaBackend.emulated(threads, real, tf32, false);
            case "cuda-emulated-hopper" -> CudaBackend.emulated(threads, real, tf32, true);
            default -> throw new DeviceException("no device named '" + name + "'; there are: " + String.join(", ", names())
                    + ", cuda" + SHORT + " to store numbers in half the room, and cuda" + ROUNDED
                    + " to multiply matrices with fewer digits, on tensor cores");
        };
    }

    /// A device that computes nothing and reads back zeros, but hands out memory, takes it back and reuses it as `device` does, in the same
    /// pieces and with the working memory of its kernels. The CPU's kernels have theirs on the Java heap, which is not counted. What is more
    /// than the device's capacity is handed out all the same: then the footprint is what is in use at one time.
    public static Backend dry(Backend device) {
        return device instanceof CudaBackend cuda
                ? cuda.dry(cuda.capacity())
                : new DryBackend(device.real(), () -> "", device.capacity());
    }
}
