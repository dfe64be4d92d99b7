package otherwise.backend.cpu;

import java.util.EnumMap;
import java.util.Map;

/// Working memory of a kernel, one set a thread, kept from call to call: packing must not cost an allocation.
final class Scratch {
    /// What a buffer is for. Two uses that overlap in time on one thread need two names.
    enum Use {
        /// What all tasks of a call read: the calling thread asks for it, tasks before those that read it may fill it.
        SHARED,
        SHARED_2,
        /// Packed left-hand sides.
        LEFT,
        LEFT_2,
        LEFT_3,
        LEFT_4,
        LEFT_5,
        /// Packed right-hand sides.
        RIGHT,
        RIGHT_2,
        RIGHT_3,
        /// Results of one call of the kernel, or a few.
        TILE,
        TILE_2,
        /// Results that grow from call to call.
        SUMS,
        SUMS_2,
        SUMS_3,
        /// A few numbers a row or column.
        STATISTICS,
        /// What is about to be turned from rows to columns, or was.
        ROWS,
        EIGHTS,
        SLAB
    }

    private static final ThreadLocal<Scratch> OF_THREAD = ThreadLocal.withInitial(Scratch::new);

    private final Map<Use, float[]> buffers = new EnumMap<>(Use.class);

    private Scratch() {}

    static Scratch mine() {
        return OF_THREAD.get();
    }

    /// At least `size` floats, contents undefined.
    float[] floats(Use use, long size) {
        var have = buffers.get(use);
        if (have != null && have.length >= size) return have;
        // An eighth more than asked for, so that slowly growing problems do not allocate each time.
        var fresh = new float[Math.toIntExact(size + size / 8)];
        buffers.put(use, fresh);
        return fresh;
    }
}
