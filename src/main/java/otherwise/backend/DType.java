package otherwise.backend;

/// The element types a [Storage] may hold.
///
/// `F32` computes on the CPU and accumulates everywhere; `F64` serves references and gradient checks; `BF16` and `F16` store
/// weights and feed the GPU's matrix units; the integers are indices and pixels.
public enum DType {
    F64(8),
    F32(4),
    BF16(2),
    F16(2),
    I64(8),
    I32(4),
    U8(1);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /// Bytes of one element.
    public int bytes() {
        return bytes;
    }

    /// Whether this is a floating-point type.
    public boolean isReal() {
        return this == F64 || this == F32 || this == BF16 || this == F16;
    }

    /// Binary digits that a floating-point number has, the one before the point included.
    public int digits() {
        return switch (this) {
            case F64 -> 53;
            case F32 -> 24;
            case F16 -> 11;
            case BF16 -> 8;
            case I64, I32, U8 -> throw new IllegalStateException(this + " has no fraction");
        };
    }

    /// The name as it is printed before a shape: `f32[2, 3]`.
    @Override
    public String toString() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }
}
