package otherwise.backend.cuda;

import jcuda.driver.CUdeviceptr;

/// An address of the device as JCuda wants it.
final class DeviceAddress extends CUdeviceptr {
    /// To be filled in by an allocation.
    DeviceAddress() {}

    DeviceAddress(long address) {
        super(new CUdeviceptr(), address);
    }

    long value() {
        return getNativePointer() + getByteOffset();
    }
}
