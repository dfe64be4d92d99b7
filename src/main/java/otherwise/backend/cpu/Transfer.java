package otherwise.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import otherwise.backend.DType;

/// Conversion between element types, from and to any memory: checkpoints are mapped files, unaligned, and arrays live on the heap.
///
/// A real number becomes an integer by dropping its fraction, and one out of range becomes the nearest in range; a real becomes a
/// shorter real by rounding to nearest even.
final class Transfer {
    /// Elements converted at a time by way of doubles: they stay in the first-level cache.
    private static final int CHUNK = 1024;

    private static final ValueLayout.OfShort SHORT = JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT = JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble DOUBLE = JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Short> HALF_AS_WIDE =
            VectorSpecies.of(short.class, VectorShape.forBitSize(INTS.vectorBitSize() / 2));

    private Transfer() {}

    /// dst[i] = src[i] for the first `n` elements.
    static void write(MemorySegment dst, DType dstType, MemorySegment src, DType srcType, long n) {
        if (dstType == srcType) {
            MemorySegment.copy(src, 0, dst, 0, n * dstType.bytes());
        } else if (srcType == DType.BF16 && dstType == DType.F32) {
            bf16ToF32(dst, src, n);
        } else if (srcType == DType.F16 && dstType == DType.F32) {
            for (long i = 0; i < n; i++) dst.set(FLOAT, i << 2, Float.float16ToFloat(src.get(SHORT, i << 1)));
        } else {
            // Every type but the far ends of I64 fits a double exactly, so two times seven loops serve all pairs.
            var chunk = new double[(int) Math.min(n, CHUNK)];
            for (long i = 0; i < n; i += CHUNK) {
                int size = (int) Math.min(CHUNK, n - i);
                read(chunk, src, srcType, i, size);
                write(dst, dstType, i, chunk, size);
            }
        }
    }

    private static void read(double[] v, MemorySegment x, DType type, long from, int n) {
        switch (type) {
            case F64 -> {
                for (int i = 0; i < n; i++) v[i] = x.get(DOUBLE, (from + i) << 3);
            }
            case F32 -> {
                for (int i = 0; i < n; i++) v[i] = x.get(FLOAT, (from + i) << 2);
            }
            case BF16 -> {
                for (int i = 0; i < n; i++) v[i] = Float.intBitsToFloat(x.get(SHORT, (from + i) << 1) << 16);
            }
            case F16 -> {
                for (int i = 0; i < n; i++) v[i] = Float.float16ToFloat(x.get(SHORT, (from + i) << 1));
            }
            case I64 -> {
                for (int i = 0; i < n; i++) v[i] = x.get(LONG, (from + i) << 3);
            }
            case I32 -> {
                for (int i = 0; i < n; i++) v[i] = x.get(INT, (from + i) << 2);
            }
            case U8 -> {
                for (int i = 0; i < n; i++) v[i] = x.get(JAVA_BYTE, from + i) & 0xff;
            }
        }
    }

    private static void write(MemorySegment y, DType type, long from, double[] v, int n) {
        switch (type) {
            case F64 -> {
                for (int i = 0; i < n; i++) y.set(DOUBLE, (from + i) << 3, v[i]);
            }
            case F32 -> {
                for (int i = 0; i < n; i++) y.set(FLOAT, (from + i) << 2, (float) v[i]);
            }
            case BF16 -> {
                for (int i = 0; i < n; i++) y.set(SHORT, (from + i) << 1, bf16((float) v[i]));
            }
            case F16 -> {
                for (int i = 0; i < n; i++) y.set(SHORT, (from + i) << 1, Float.floatToFloat16((float) v[i]));
            }
            case I64 -> {
                for (int i = 0; i < n; i++) y.set(LONG, (from + i) << 3, (long) v[i]);
            }
            case I32 -> {
                for (int i = 0; i < n; i++) y.set(INT, (from + i) << 2, (int) v[i]);
            }
            case U8 -> {
                for (int i = 0; i < n; i++) y.set(JAVA_BYTE, from + i, (byte) Math.clamp((long) v[i], 0, 255));
            }
        }
    }

    /// The upper half of a float, rounded to nearest even.
    private static short bf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) return (short) ((bits >>> 16) | 0x40);
        return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
    }

    /// A BF16 is the upper half of a float. Big-endian machines take the scalar loop alone.
    private static void bf16ToF32(MemorySegment dst, MemorySegment src, long n) {
        long i = 0;
        if (src.isNative() && dst.isNative() && ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN) {
            for (; i + INTS.length() <= n; i += INTS.length()) {
                var halves = ShortVector.fromMemorySegment(HALF_AS_WIDE, src, i << 1, ByteOrder.LITTLE_ENDIAN);
                var wide = (IntVector) halves.convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
                wide.lanewise(VectorOperators.LSHL, 16).intoMemorySegment(dst, i << 2, ByteOrder.LITTLE_ENDIAN);
            }
        }
        for (; i < n; i++) dst.set(INT, i << 2, src.get(SHORT, i << 1) << 16);
    }
}
