package otherwise.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import otherwise.backend.Backend;
import otherwise.backend.DeviceException;
import otherwise.backend.PoolBooks;
import otherwise.backend.SizeClass;

/// Native memory that is handed out, taken back and handed out again, in the sizes of [SizeClass].
final class Pool implements AutoCloseable {
    /// A piece of memory and the arena that can give it back to the system.
    private record Block(MemorySegment memory, Arena arena) {}

    private final long capacity;
    private final Map<Long, ArrayDeque<Block>> free = new HashMap<>();
    private final Map<Long, Block> handedOut = new HashMap<>();
    private final PoolBooks books = new PoolBooks();

    /// @param capacity beyond which nothing is kept for reuse: where systems promise more memory than they have, they do not refuse
    Pool(long capacity) {
        this.capacity = capacity;
    }

    /// `bytes` of memory, contents undefined.
    ///
    /// @throws DeviceException if neither the pool nor the system has them
    synchronized MemorySegment take(long bytes) {
        long rounded = SizeClass.of(bytes);
        var waiting = free.get(rounded);
        boolean reused = waiting != null && !waiting.isEmpty();
        if (!reused && books.held() + rounded > capacity) trim();
        var block = reused ? waiting.pop() : fresh(rounded);
        handedOut.put(block.memory.address(), block);
        books.out(rounded, reused);
        return block.memory.asSlice(0, bytes);
    }

    synchronized void give(MemorySegment memory) {
        var block = handedOut.remove(memory.address());
        long rounded = block.memory.byteSize();
        free.computeIfAbsent(rounded, r -> new ArrayDeque<>()).push(block);
        books.back(rounded);
    }

    synchronized Backend.Memory memory() {
        return books.memory();
    }

    private Block fresh(long rounded) {
        try {
            return allocate(rounded);
        } catch (OutOfMemoryError first) {
            trim();
            try {
                return allocate(rounded);
            } catch (OutOfMemoryError again) {
                throw new DeviceException(
                        "out of memory: asked for " + mib(rounded) + " MiB with " + mib(books.used())
                                + " MiB in use; lower the size, the frames or the batch",
                        again);
            }
        }
    }

    @SuppressWarnings("MustBeClosedChecker") // the arena lives as long as its block
    private static Block allocate(long bytes) {
        var arena = Arena.ofShared();
        return new Block(arena.allocate(bytes, SizeClass.ALIGNMENT), arena);
    }

    /// Gives what waits for reuse back to the system.
    synchronized void trim() {
        for (var blocks : free.values()) for (var block : blocks) block.arena.close();
        free.clear();
        books.trimmed();
    }

    private static long mib(long bytes) {
        return bytes >> 20;
    }

    @Override
    public synchronized void close() {
        trim();
        for (var block : handedOut.values()) block.arena.close();
        handedOut.clear();
    }
}
