package otherwise.backend.cuda;

import java.util.ArrayDeque;
import java.util.Collection;
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
    private final Source source;
    private final HandOuts handOuts;
    private final Map<Long, ArrayDeque<Long>> free = new HashMap<>();
    private final Map<Long, Long> handedOut = new HashMap<>();
    private final PoolBooks books = new PoolBooks();

    /// Where a pool has its pieces from.
    private interface Source {
        /// The address of a new piece.
        ///
        /// @throws DeviceException if there is no room
        long take(DevicePool pool, long bytes);

        /// Takes pieces back.
        void give(Collection<Long> addresses);
    }

    /// Who wants to know what is handed out, and with 0 bytes, what is no longer.
    interface HandOuts {
        void note(long address, long bytes, long room);
    }

    DevicePool(Driver driver) {
        this(new Device(driver), driver::handOut);
    }

    /// One that has its pieces from another.
    DevicePool(DevicePool parent, HandOuts handOuts) {
        this(new Parent(parent), handOuts);
    }

    private DevicePool(Source source, HandOuts handOuts) {
        this.source = source;
        this.handOuts = handOuts;
    }

    private record Device(Driver driver) implements Source {
        @Override
        public long take(DevicePool pool, long bytes) {
            long address = driver.allocate(bytes);
            if (address != 0) return address;
            pool.trim();
            address = driver.allocate(bytes);
            if (address != 0) return address;
            throw new DeviceException(
                    "out of memory on %s: asked for %d MiB with %d MiB in use and %d of %d MiB free; lower the size, the frames or the batch"
                            .formatted(driver.name(), bytes >> 20, pool.books.used() >> 20, driver.freeMemory() >> 20,
                                    driver.totalMemory() >> 20));
        }

        @Override
        public void give(Collection<Long> addresses) {
            driver.synchronize();
            addresses.forEach(driver::free);
        }
    }

    private record Parent(DevicePool pool) implements Source {
        @Override
        public long take(DevicePool child, long bytes) {
            return pool.take(bytes);
        }

        @Override
        public void give(Collection<Long> addresses) {
            addresses.forEach(pool::give);
        }
    }

    /// The address of `bytes`, contents undefined.
    ///
    /// @throws DeviceException if neither the pool nor the device has them
    synchronized long take(long bytes) {
        long rounded = SizeClass.of(bytes);
        var waiting = free.get(rounded);
        boolean reused = waiting != null && !waiting.isEmpty();
        long address = reused ? waiting.pop() : source.take(this, rounded);
        handedOut.put(address, rounded);
        books.out(rounded, reused);
        handOuts.note(address, bytes, rounded);
        return address;
    }

    synchronized void give(long address) {
        long rounded = handedOut.remove(address);
        free.computeIfAbsent(rounded, r -> new ArrayDeque<>()).push(address);
        books.back(rounded);
        handOuts.note(address, 0, rounded);
    }

    synchronized Memory memory() {
        return books.memory();
    }

    /// Gives what waits for reuse back to where it came from.
    synchronized void trim() {
        source.give(free.values().stream().flatMap(ArrayDeque::stream).toList());
        free.clear();
        books.trimmed();
    }

    @Override
    public synchronized void close() {
        trim();
        source.give(handedOut.keySet());
        handedOut.clear();
    }
}
