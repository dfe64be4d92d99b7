package otherwise.backend.cuda;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import otherwise.backend.Backend.Memory;
import otherwise.backend.DeviceException;
import otherwise.backend.PoolBooks;
import otherwise.backend.SizeClass;

/// Device memory that is handed out, taken back and handed out again, in the sizes of [SizeClass].
///
/// All work is in one order, so a piece that is given back may be handed out again at once: whoever gets it comes after whoever had it.
final class DevicePool implements AutoCloseable {
    private final Driver driver;
    private final Map<Long, ArrayDeque<Long>> free = new HashMap<>();
    private final Map<Long, Long> handedOut = new HashMap<>();
    private final PoolBooks books = new PoolBooks();

    DevicePool(Driver driver) {
        this.driver = driver;
    }

    /// The address of `bytes`, contents undefined.
    ///
    /// @throws DeviceException if neither the pool nor the device has them
    synchronized long take(long bytes) {
        long rounded = SizeClass.of(bytes);
        var waiting = free.get(rounded);
        boolean reused = waiting != null && !waiting.isEmpty();
        long address = reused ? waiting.pop() : fresh(rounded);
        handedOut.put(address, rounded);
        books.out(rounded, reused);
        driver.handOut(address, bytes, rounded);
        return address;
    }

    synchronized void give(long address) {
        long rounded = handedOut.remove(address);
        free.computeIfAbsent(rounded, r -> new ArrayDeque<>()).push(address);
        books.back(rounded);
        driver.handOut(address, 0, rounded);
    }

    synchronized Memory memory() {
        return books.memory();
    }

    private long fresh(long rounded) {
        long address = driver.allocate(rounded);
        if (address != 0) return address;
        trim();
        address = driver.allocate(rounded);
        if (address != 0) return address;
        throw new DeviceException(
                "out of memory on %s: asked for %d MiB with %d MiB in use and %d of %d MiB free; lower the size, the frames or the batch"
                        .formatted(driver.name(), rounded >> 20, books.used() >> 20, driver.freeMemory() >> 20,
                                driver.totalMemory() >> 20));
    }

    /// Gives what waits for reuse back to the device.
    synchronized void trim() {
        driver.synchronize();
        for (var addresses : free.values()) addresses.forEach(driver::free);
        free.clear();
        books.trimmed();
    }

    @Override
    public synchronized void close() {
        trim();
        handedOut.keySet().forEach(driver::free);
        handedOut.clear();
    }
}
