package otherwise.support;

import java.util.Arrays;
import java.util.function.LongConsumer;
import otherwise.backend.DType;
import otherwise.backend.Storage;

/// Elements in an array of doubles, rounded to their type when they are written: the memory of [Reference].
final class HostStorage extends Storage {
    private final double[] values;
    private final int offset;
    private final LongConsumer onRecycle;

    HostStorage(DType type, long size, LongConsumer onRecycle) {
        super(type, size);
        this.values = new double[Math.toIntExact(size)];
        this.offset = 0;
        this.onRecycle = onRecycle;
        // Contents are undefined by contract; whoever reads before writing shall see it.
        Arrays.fill(values, type.isReal() ? Double.NaN : -1_234_567);
    }

    private HostStorage(HostStorage parent, long offset, long size) {
        super(parent, size);
        this.values = parent.values;
        this.offset = Math.toIntExact(parent.offset + offset);
        this.onRecycle = parent.onRecycle;
    }

    @Override
    public Storage slice(long offset, long size) {
        if (offset < 0 || offset + size > size()) throw new IndexOutOfBoundsException(offset + " + " + size + " of " + size());
        return new HostStorage(this, offset, size);
    }

    @Override
    protected void recycle() {
        onRecycle.accept(size());
    }

    double at(long i) {
        check(i);
        return values[offset + (int) i];
    }

    void set(long i, double value) {
        check(i);
        values[offset + (int) i] = rounded(value);
    }

    void add(long i, double value) {
        set(i, at(i) + value);
    }

    private void check(long i) {
        if (i < 0 || i >= size()) throw new IndexOutOfBoundsException("element " + i + " of " + size());
        if (references() <= 0) throw new IllegalStateException("used after it was freed");
    }

    private double rounded(double value) {
        return switch (type()) {
            case F64 -> value;
            case F32 -> (float) value;
            case F16 -> Float.float16ToFloat(Float.floatToFloat16((float) value));
            case BF16 -> bf16((float) value);
            case I64 -> (double) (long) value;
            case I32 -> (int) value;
            case U8 -> Math.clamp((long) value, 0, 255);
        };
    }

    private static float bf16(float value) {
        if (!Float.isFinite(value)) return value;
        int bits = Float.floatToRawIntBits(value);
        return Float.intBitsToFloat((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000);
    }
}
