package otherwise.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/// Floats in native memory, one or a vector at a time, by element number; and sums across a vector in a fixed order.
///
/// The Vector API's own `reduceLanes(ADD)` may add in any order, and the interpreter's differs from the compiler's: a run would
/// not repeat itself.
final class Lanes {
    /// Elements of one piece of parallel work: long enough that handing it out costs nothing, short enough to stay in the cache.
    static final long GRAIN = 1 << 15;

    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private static final int W = VectorMath.LANES;

    // Lane i gets lane i + 8, + 4, + 2, + 1 (all round): added up one after the other, lane 0 ends with the sum of all.
    private static final VectorShuffle<Float> TURN_8 = turn(8);
    private static final VectorShuffle<Float> TURN_4 = turn(4);
    private static final VectorShuffle<Float> TURN_2 = turn(2);
    private static final VectorShuffle<Float> TURN_1 = turn(1);

    private Lanes() {}

    private static VectorShuffle<Float> turn(int by) {
        return VectorShuffle.fromOp(VectorMath.SPECIES, i -> (i + by) % W);
    }

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
        return n & -W;
    }

    static float at(MemorySegment x, long i) {
        return x.get(ValueLayout.JAVA_FLOAT_UNALIGNED, i << 2);
    }

    static void put(MemorySegment y, long i, float value) {
        y.set(ValueLayout.JAVA_FLOAT_UNALIGNED, i << 2, value);
    }

    /// The sum of the lanes, halves first.
    static float sum(FloatVector v) {
        var s = v;
        if (W > 16) return sumOfMany(v);
        if (W > 8) s = s.add(s.rearrange(TURN_8));
        if (W > 4) s = s.add(s.rearrange(TURN_4));
        if (W > 2) s = s.add(s.rearrange(TURN_2));
        if (W > 1) s = s.add(s.rearrange(TURN_1));
        return s.lane(0);
    }

    /// For vectors beyond 512 bits (SVE).
    private static float sumOfMany(FloatVector v) {
        double s = 0;
        for (float f : v.toArray()) s += f;
        return (float) s;
    }

    /// The largest lane: the same in any order.
    static float max(FloatVector v) {
        return v.reduceLanes(VectorOperators.MAX);
    }
}
