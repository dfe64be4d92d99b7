package otherwise.backend.cuda;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import otherwise.backend.DType;

/// A test that launches kernels by itself, in the memory of a device that is its own.
abstract class DeviceMemory {
    final Driver driver;
    final DevicePool pool;
    final Kernels kernels;

    /// @param driver closed after each test
    DeviceMemory(Driver driver) {
        this.driver = driver;
        pool = new DevicePool(driver);
        kernels = new Kernels(driver, pool, DType.F32);
    }

    @AfterEach
    void close() {
        pool.close();
        driver.close();
    }

    CudaStorage fresh(DType type, int n) {
        return new CudaStorage(type, n, pool.take((long) n * type.bytes()), pool);
    }

    CudaStorage fresh(int n) {
        return fresh(DType.F32, n);
    }

    CudaStorage written(float... values) {
        var storage = fresh(values.length);
        driver.toDevice(storage.address(), MemorySegment.ofArray(values));
        return storage;
    }

    float[] read(CudaStorage x) {
        var values = new float[(int) x.size()];
        driver.toHost(MemorySegment.ofArray(values), x.address());
        return values;
    }
}
