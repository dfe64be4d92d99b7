package otherwise.backend.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import otherwise.backend.Storage;

/// What a kernel is called with, in the order of its parameters: the bytes of each.
final class Arguments {
    private final List<ByteBuffer> values = new ArrayList<>();
    private final StringBuilder text = new StringBuilder();

    /// The address of a storage; 0 for `null`.
    Arguments with(Storage s) {
        text.append(s == null ? " null" : " " + s.type() + "[" + s.size() + "]");
        return eight(s == null ? 0 : ((CudaStorage) s).address());
    }

    Arguments with(long value) {
        text.append(' ').append(value);
        return eight(value);
    }

    Arguments with(int value) {
        text.append(' ').append(value);
        values.add(buffer(Integer.BYTES).putInt(0, value));
        return this;
    }

    /// The number of a constant: the kernel files list them in the same order.
    @SuppressWarnings("EnumOrdinal")
    Arguments with(Enum<?> value) {
        return with(value.ordinal());
    }

    Arguments with(float value) {
        text.append(' ').append(value);
        values.add(buffer(Float.BYTES).putFloat(0, value));
        return this;
    }

    /// A struct of 64-bit integers, by value.
    Arguments with(long[] struct) {
        var b = buffer(struct.length * Long.BYTES);
        for (int i = 0; i < struct.length; i++) b.putLong(i * Long.BYTES, struct[i]);
        values.add(b);
        return this;
    }

    /// A struct of floats, by value.
    Arguments with(float[] struct) {
        var b = buffer(struct.length * Float.BYTES);
        for (int i = 0; i < struct.length; i++) b.putFloat(i * Float.BYTES, struct[i]);
        values.add(b);
        return this;
    }

    /// A tensor map, as [Driver#encode] makes it.
    Arguments with(byte[] tensorMap) {
        text.append(" tensor map");
        values.add(
                ByteBuffer.allocateDirect(2 * TensorMap.BYTES).alignedSlice(TensorMap.BYTES).slice(0, TensorMap.BYTES).put(0, tensorMap));
        return this;
    }

    private Arguments eight(long value) {
        values.add(buffer(Long.BYTES).putLong(0, value));
        return this;
    }

    private static ByteBuffer buffer(int bytes) {
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    }

    /// One direct buffer a parameter.
    List<ByteBuffer> values() {
        return values;
    }

    /// Shapes and numbers, for a message.
    @Override
    public String toString() {
        return text.toString().strip();
    }
}
