package otherwise.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/// Floats in native memory, one or a vector at a time, by element number.
final class Lanes {
    /// Elements of one piece of parallel work: long enough that handing it out costs nothing, short enough to stay in the cache.
    static final long GRAIN = 1 << 15;

    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private Lanes() {}

    static FloatVector load(MemorySegment x, long i) {
        return FloatVector.fromMemorySegment(VectorMath.SPECIES, x, i << 2, ORDER);
    }

    /// Only the lanes of `mask`; the others are 0 and not touched in memory.
    static FloatVector load(MemorySegment x, long i, VectorMask<Float> mask) {
        return FloatVector.fromMemorySegment(VectorMath.SPECIES, x, i << 2, ORDER, mask);
    }

    static void store(FloatVector v, MemorySegment y, long i) {
        v.intoMemorySegment(y, i << 2, ORDER);
    }

    static void store(FloatVector v, MemorySegment y, long i, VectorMask<Float> mask) {
        v.intoMemorySegment(y, i << 2, ORDER, mask);
    }

    static FloatVector zero() {
        return FloatVector.zero(VectorMath.SPECIES);
    }

    static FloatVector all(float value) {
        return FloatVector.broadcast(VectorMath.SPECIES, value);
    }

    /// The first `n` lanes.
    static VectorMask<Float> first(long n) {
        return VectorMath.SPECIES.indexInRange(0, n);
    }

    /// The largest multiple of the vector length that is at most `n`.
    static long whole(long n) {
        return n & -VectorMath.LANES;
    }

    static float at(MemorySegment x, long i) {
        return x.get(ValueLayout.JAVA_FLOAT_UNALIGNED, i << 2);
    }

    static void put(MemorySegment y, long i, float value) {
        y.set(ValueLayout.JAVA_FLOAT_UNALIGNED, i << 2, value);
    }

    /// The largest lane: the same in any order.
    static float max(FloatVector v) {
        return v.reduceLanes(VectorOperators.MAX);
    }
}
