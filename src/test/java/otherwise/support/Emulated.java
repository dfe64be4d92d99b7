package otherwise.support;

import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.cuda.CudaBackend;

/// The emulated CUDA device, which needs g++: tests that want it are skipped by name elsewhere.
public final class Emulated {
    private static final Map<DType, CudaBackend> DEVICES = new EnumMap<>(DType.class);
    private static final boolean PRESENT = find();

    private Emulated() {}

    private static boolean find() {
        try {
            for (var real : new DType[] {DType.F32, DType.BF16}) DEVICES.put(real, CudaBackend.emulated(0, real));
            return true;
        } catch (DeviceException e) {
            return false;
        }
    }

    /// For `@EnabledIf`.
    public static boolean present() {
        return PRESENT;
    }

    /// One for all tests.
    public static Optional<CudaBackend> device(DType real) {
        return Optional.ofNullable(DEVICES.get(real));
    }
}
