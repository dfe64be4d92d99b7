package otherwise.backend.cuda;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import otherwise.backend.Storage;

/// What a kernel is called with, in the order of its parameters: the bytes of each.
final class Arguments {
    /// Where a parameter begins is a multiple of this.
    private static final int ALIGNMENT = 8;

    private ByteBuffer bytes = ByteBuffer.allocate(256).order(ByteOrder.nativeOrder());
    private int[] starts = new int[16];
    private int[] sizes = new int[16];
    private Object[] values = new Object[16];
    private int count;

    /// The address of a storage; 0 for `null`.
    Arguments with(Storage s) {
        next(Long.BYTES, ALIGNMENT, s).putLong(CudaStorage.address(s));
        return this;
    }

    Arguments with(long value) {
        next(Long.BYTES, ALIGNMENT, value).putLong(value);
        return this;
    }

    Arguments with(int value) {
        next(Integer.BYTES, ALIGNMENT, value).putInt(value);
        return this;
    }

    /// The number of a constant: the kernel files list them in the same order.
    @SuppressWarnings("EnumOrdinal")
    Arguments with(Enum<?> value) {
        return with(value.ordinal());
    }

    Arguments with(float value) {
        next(Float.BYTES, ALIGNMENT, value).putFloat(value);
        return this;
    }

    /// A struct of 64-bit integers, by value.
    Arguments with(long[] struct) {
        var to = next(struct.length * Long.BYTES, ALIGNMENT, struct);
        for (long v : struct) to.putLong(v);
        return this;
    }

    /// A struct of floats, by value.
    Arguments with(float[] struct) {
        var to = next(struct.length * Float.BYTES, ALIGNMENT, struct);
        for (float v : struct) to.putFloat(v);
        return this;
    }

    /// A tensor map, as [Driver#encode] makes it.
    Arguments with(byte[] tensorMap) {
        next(TensorMap.BYTES, TensorMap.BYTES, "tensor map").put(tensorMap);
        return this;
    }

    /// Room for a parameter.
    private ByteBuffer next(int size, int alignment, Object value) {
        int start = Math.ceilDiv(bytes.position(), alignment) * alignment;
        if (start + size > bytes.capacity()) {
            int room = Math.max(2 * bytes.capacity(), start + size);
            bytes = ByteBuffer.allocate(room).order(ByteOrder.nativeOrder()).put(bytes.flip());
        }
        if (count == starts.length) {
            starts = Arrays.copyOf(starts, 2 * count);
            sizes = Arrays.copyOf(sizes, 2 * count);
            values = Arrays.copyOf(values, 2 * count);
        }
        starts[count] = start;
        sizes[count] = size;
        values[count++] = value;
        return bytes.position(start);
    }

    /// How many there are.
    int count() {
        return count;
    }

    /// The bytes of parameter i.
    int size(int i) {
        return sizes[i];
    }

    /// The bytes of all of them, with what lies between.
    int size() {
        return bytes.position();
    }

    /// Writes all to `to`, as aligned as the largest of them, and the address of each to `addresses`.
    void copyTo(MemorySegment to, MemorySegment addresses) {
        MemorySegment.copy(MemorySegment.ofArray(bytes.array()), 0, to, 0, size());
        for (int i = 0; i < count; i++) addresses.setAtIndex(JAVA_LONG, i, to.address() + starts[i]);
    }

    /// Shapes and numbers, for a message.
    @Override
    public String toString() {
        var text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            text.append(i == 0 ? "" : " ").append(switch (values[i]) {
                case null -> "null";
                case Storage s -> s.type() + "[" + s.size() + "]";
                case long[] struct -> Arrays.toString(struct);
                case float[] struct -> Arrays.toString(struct);
                case Object other -> other.toString();
            });
        }
        return text.toString();
    }
}
