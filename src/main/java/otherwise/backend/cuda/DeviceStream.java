package otherwise.backend.cuda;

import jcuda.driver.CUstream;

/// The order in which a device works, as JCuda wants it; what has not been made is the default one.
final class DeviceStream extends CUstream {
    /// The handle, for those who are not called through JCuda.
    long value() {
        return getNativePointer();
    }
}
