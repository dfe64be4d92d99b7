package otherwise.io;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Optional;

/// The element types of a safetensors file, and what their bits mean.
///
/// All are read little-endian and at any alignment, since a header of any length may stand in front of them.
enum ElementType {
    F64(8),
    I64(8),
    U64(8),
    F32(4),
    I32(4),
    U32(4),
    F16(2),
    BF16(2),
    I16(2),
    U16(2),
    F8_E4M3(1),
    F8_E5M2(1),
    I8(1),
    U8(1),
    BOOL(1);

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat NATIVE_FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private final int size;

    ElementType(int size) {
        this.size = size;
    }

    /// The type that safetensors calls `name`; empty for one that is not known here.
    static Optional<ElementType> named(String name) {
        for (var type : values()) {
            if (type.name().equals(name)) {
                return Optional.of(type);
            }
        }
        return Optional.empty();
    }

    /// Bytes an element.
    int size() {
        return size;
    }

    boolean isWhole() {
        return switch (this) {
            case I64, U64, I32, U32, I16, U16, I8, U8, BOOL -> true;
            case F64, F32, F16, BF16, F8_E4M3, F8_E5M2 -> false;
        };
    }

    /// Element `i` as a double: exact, but for 64-bit integers beyond 2^53.
    double value(MemorySegment from, long i) {
        return switch (this) {
            case F64 -> from.getAtIndex(DOUBLE, i);
            case F32 -> from.getAtIndex(FLOAT, i);
            case F16 -> Float.float16ToFloat(from.getAtIndex(SHORT, i));
            case BF16 -> bfloat16(from.getAtIndex(SHORT, i));
            case F8_E4M3 -> e4m3(from.get(ValueLayout.JAVA_BYTE, i));
            case F8_E5M2 -> e5m2(from.get(ValueLayout.JAVA_BYTE, i));
            case U64 -> unsigned(from.getAtIndex(LONG, i));
            case I64, I32, U32, I16, U16, I8, U8, BOOL -> whole(from, i);
        };
    }

    /// Element `i` of a type that holds whole numbers. An unsigned 64-bit number keeps its bits.
    long whole(MemorySegment from, long i) {
        return switch (this) {
            case I64, U64 -> from.getAtIndex(LONG, i);
            case I32 -> from.getAtIndex(INT, i);
            case U32 -> Integer.toUnsignedLong(from.getAtIndex(INT, i));
            case I16 -> from.getAtIndex(SHORT, i);
            case U16 -> Short.toUnsignedLong(from.getAtIndex(SHORT, i));
            case I8 -> from.get(ValueLayout.JAVA_BYTE, i);
            case U8 -> Byte.toUnsignedLong(from.get(ValueLayout.JAVA_BYTE, i));
            case BOOL -> from.get(ValueLayout.JAVA_BYTE, i) == 0 ? 0 : 1;
            case F64, F32, F16, BF16, F8_E4M3, F8_E5M2 -> throw new IllegalArgumentException(this + " does not hold whole numbers");
        };
    }

    /// The first `count` elements as floats. The types that checkpoints are made of have loops of their own: gigabytes go through here.
    void toFloats(MemorySegment from, MemorySegment to, long count) {
        switch (this) {
            case F32 -> MemorySegment.copy(from, FLOAT, 0, to, NATIVE_FLOAT, 0, count);
            case BF16 -> {
                for (long i = 0; i < count; i++) {
                    to.setAtIndex(NATIVE_FLOAT, i, bfloat16(from.getAtIndex(SHORT, i)));
                }
            }
            case F16 -> {
                for (long i = 0; i < count; i++) {
                    to.setAtIndex(NATIVE_FLOAT, i, Float.float16ToFloat(from.getAtIndex(SHORT, i)));
                }
            }
            default -> {
                for (long i = 0; i < count; i++) {
                    to.setAtIndex(NATIVE_FLOAT, i, isWhole() && this != U64 ? (float) whole(from, i) : (float) value(from, i));
                }
            }
        }
    }

    /// Writes `value` as element `i`, rounded to the nearest, ties to even. Only the floating-point types.
    void put(MemorySegment to, long i, double value) {
        switch (this) {
            case F64 -> to.setAtIndex(DOUBLE, i, value);
            case F32 -> to.setAtIndex(FLOAT, i, (float) value);
            case F16 -> to.setAtIndex(SHORT, i, Float.floatToFloat16((float) value));
            case BF16 -> to.setAtIndex(SHORT, i, toBfloat16((float) value));
            default -> throw new IllegalArgumentException("floating-point values cannot be written as " + this);
        }
    }

    /// Writes `value` as element `i` of a type that holds whole numbers.
    ///
    /// @throws IllegalArgumentException if the type has no room for it
    void put(MemorySegment to, long i, long value) {
        boolean fits =
                switch (this) {
                    case I64 -> true;
                    case I32 -> value == (int) value;
                    case I16 -> value == (short) value;
                    case I8 -> value == (byte) value;
                    case U32 -> value >>> 32 == 0;
                    case U16 -> value >>> 16 == 0;
                    case U8 -> value >>> 8 == 0;
                    case BOOL -> value >>> 1 == 0;
                    case U64 -> value >= 0;
                    case F64, F32, F16, BF16, F8_E4M3, F8_E5M2 -> false;
                };
        if (!fits) {
            throw new IllegalArgumentException(value + " cannot be written as " + this);
        }
        switch (size) {
            case 8 -> to.setAtIndex(LONG, i, value);
            case 4 -> to.setAtIndex(INT, i, (int) value);
            case 2 -> to.setAtIndex(SHORT, i, (short) value);
            default -> to.set(ValueLayout.JAVA_BYTE, i, (byte) value);
        }
    }

    /// bfloat16 is the upper half of a float.
    static float bfloat16(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    /// The nearest bfloat16, ties to even: half of what is cut off is added first, and one less where the kept part is even.
    /// A NaN stays one: its payload could otherwise be rounded away, or carry over into the sign.
    static short toBfloat16(float value) {
        if (Float.isNaN(value)) {
            return (short) (Float.floatToRawIntBits(value) >>> 16 | 0x40);
        }
        int bits = Float.floatToRawIntBits(value);
        return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
    }

    /// 1 sign, 4 exponent (bias 7), 3 mantissa bits; no infinities, and only all ones is NaN (Micikevicius et al. 2022, "fn").
    static float e4m3(byte bits) {
        int exponent = bits >>> 3 & 0xF;
        int mantissa = bits & 7;
        float size = (bits & 0x7F) == 0x7F
                ? Float.NaN
                : exponent == 0 ? Math.scalb((float) mantissa, -9) : Math.scalb((float) (8 + mantissa), exponent - 10);
        return bits < 0 ? -size : size;
    }

    /// 1 sign, 5 exponent, 2 mantissa bits: the upper half of an IEEE half.
    static float e5m2(byte bits) {
        return Float.float16ToFloat((short) (bits << 8));
    }

    private static double unsigned(long bits) {
        // Halved with the lost bit kept as a sticky one, so that the doubling rounds as the whole would.
        return bits >= 0 ? bits : (double) (bits >>> 1 | bits & 1) * 2;
    }
}
