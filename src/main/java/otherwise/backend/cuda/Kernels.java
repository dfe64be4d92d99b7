package otherwise.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.ConcurrentHashMap;
import java.util.Map;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.Storage;

/// The kernels of one backend, by file and name.
final class Kernels {
    /// Threads of a block where a thread has an element.
    static final int BLOCK = 256;

    /// Blocks of a launch at most where threads go on to further elements: several for each multiprocessor of the largest device.
    private static final long BLOCKS = 8192;

    /// Bytes that a thread moves at once.
    static final int PACK = 16;

    private final Driver driver;
    private final Recorder recorder;
    private final DType real;
    private final boolean tensorCores;
    private final Map<String, Driver.Function> functions = new ConcurrentHashMap<>();

    Kernels(Driver driver, DevicePool pool, DType real) {
        this(driver, pool, real, false);
    }

    /// @param tf32 whether matrices of `F32` are multiplied as TF32
    Kernels(Driver driver, DevicePool pool, DType real, boolean tf32) {
        if (tf32 && !driver.tensorCores()) throw new DeviceException(driver.name() + ": it has no tensor cores for TF32");
        this.driver = driver;
        recorder = new Recorder(driver, pool);
        this.real = real;
        tensorCores = driver.tensorCores() && (tf32 || real == DType.BF16);
    }

    /// The type in which results are stored.
    DType real() {
        return real;
    }

    /// The device that runs them.
    Driver driver() {
        return driver;
    }

    /// What all that the device is told goes through.
    Recorder recorder() {
        return recorder;
    }

    /// Whether tensor cores multiply matrices of that type: of `F32` only where it was asked for, since digits are lost.
    boolean tensorCores() {
        return tensorCores;
    }

    /// @throws DeviceException with the name of the kernel and what it was called with
    void launch(String file, String kernel, Grid grid, Arguments arguments) {
        var function = functions.computeIfAbsent(file + "." + kernel, _ -> driver.function(file, real, kernel));
        recorder.launch(function, grid, arguments);
    }

    /// A launch in which every thread goes from one of `n` elements to the next; nothing if there are none.
    void over(long n, String file, String kernel, Arguments arguments) {
        if (n > 0) launch(file, kernel, Grid.of(Math.clamp((n + BLOCK - 1) / BLOCK, 1, BLOCKS), BLOCK), arguments);
    }

    /// How many elements a thread moves at once, as `packs.cuh` has it: those of 16 bytes, if every operand begins at a multiple of 16 bytes and
    /// they go into `length`, else one.
    ///
    /// @param operands of the type in which results are stored, or floats that go with them; may be null
    int pack(long length, Storage... operands) {
        int pack = PACK / real.bytes();
        return length % pack == 0 && aligned(operands) ? pack : 1;
    }

    /// Whether all of these begin at a multiple of 16 bytes.
    static boolean aligned(Storage... operands) {
        long addresses = 0;
        for (var operand : operands) addresses |= CudaStorage.address(operand);
        return addresses % PACK == 0;
    }

    /// Working memory for the launches of one call.
    Scratch scratch(DType type, long size) {
        return new Scratch(type, size);
    }

    /// Working memory with these numbers in it.
    Scratch scratch(long[] values) {
        var scratch = scratch(DType.I64, values.length);
        recorder.upload(scratch.storage(), MemorySegment.ofArray(values));
        return scratch;
    }

    /// Given back when closed: what is launched later comes later.
    final class Scratch implements AutoCloseable {
        private final CudaStorage storage;

        private Scratch(DType type, long size) {
            storage = recorder.storage(type, size);
        }

        CudaStorage storage() {
            return storage;
        }

        @Override
        public void close() {
            storage.release();
        }
    }
}
