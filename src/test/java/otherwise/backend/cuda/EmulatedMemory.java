package otherwise.backend.cuda;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import otherwise.backend.DType;

/// A test that launches kernels by itself, on floats in the memory of an emulated device.
abstract class EmulatedMemory {
    final EmulatedDriver driver;
    final DevicePool pool;
    final Kernels kernels;

    EmulatedMemory(int threads) {
        driver = new EmulatedDriver(threads);
        pool = new DevicePool(driver);
        kernels = new Kernels(driver, pool, DType.F32);
    }

    @AfterEach
    void close() {
        pool.close();
        driver.close();
    }

    CudaStorage fresh(int n) {
        return new CudaStorage(DType.F32, n, pool.take(n * 4L), pool);
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
