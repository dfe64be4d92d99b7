package otherwise.backend.cuda;

import java.util.function.IntSupplier;

/// Makes a call of CUDA's driver in the context of the device, one at a time, and checks its status.
@FunctionalInterface
interface DriverCalls {
    /// @throws otherwise.backend.DeviceException with what a bad status means
    void make(String name, IntSupplier call);
}
