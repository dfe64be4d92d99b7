package otherwise.backend.cuda;

import otherwise.backend.DType;
import otherwise.backend.Storage;

/// Elements in the memory of a device.
final class CudaStorage extends Storage {
    private final long address;
    private final DevicePool pool;

    CudaStorage(DType type, long size, long address, DevicePool pool) {
        super(type, size);
        this.address = address;
        this.pool = pool;
    }

    private CudaStorage(CudaStorage parent, long offset, long size) {
        super(parent, size);
        this.address = parent.address + offset * parent.type().bytes();
        this.pool = parent.pool;
    }

    /// Where the first element lies, on the device.
    long address() {
        return address;
    }

    /// Where this storage lies, 0 for `null`.
    static long address(Storage s) {
        return s == null ? 0 : ((CudaStorage) s).address();
    }

    @Override
    public Storage slice(long offset, long size) {
        return new CudaStorage(this, offset, size);
    }

    @Override
    protected void recycle() {
        pool.give(address);
    }
}
