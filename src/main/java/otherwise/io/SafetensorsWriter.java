package otherwise.io;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;

/// Collects tensors and writes them as one safetensors file, whole or not at all (see [AtomicFile]).
///
/// Data is not copied when it is added, but read when [#write] runs, in pieces: what is not to be seen in the file must not change before.
/// Wide types lie first in the file, so that every tensor is aligned to its element; within a type the order is that of the calls.
/// The same calls give the same bytes.
public final class SafetensorsWriter {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int PIECE = 1 << 17; // elements converted at a time: at most 1 MiB of output

    /// Puts elements `from` … `from + n` into `piece`, little-endian.
    private interface Source {
        void fill(MemorySegment piece, long from, int n);
    }

    private record Tensor(ElementType type, List<Long> shape, long count, Source source) {
        long bytes() {
            return count * type.size();
        }
    }

    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    /// Adds a line of free text.
    public SafetensorsWriter metadata(String key, String value) {
        metadata.put(key, value);
        return this;
    }

    /// Adds several lines of free text.
    public SafetensorsWriter metadata(Map<String, String> lines) {
        metadata.putAll(lines);
        return this;
    }

    /// Adds floats as `dtype` `F32`, `BF16`, `F16` (both rounded to the nearest, ties to even) or `F64`.
    ///
    /// @throws IllegalArgumentException if the name is taken, the shape does not fit the data, or `dtype` is none of these
    public SafetensorsWriter add(String name, String dtype, long[] shape, float[] data) {
        return add(name, dtype, shape, MemorySegment.ofArray(data));
    }

    /// Adds the floats, in the machine's byte order, of a segment of any size; types and rounding as for an array.
    ///
    /// @throws IllegalArgumentException if the name is taken, the shape does not fit the data, or `dtype` is no floating-point type
    public SafetensorsWriter add(String name, String dtype, long[] shape, MemorySegment floats) {
        var type = floating(name, dtype);
        if (floats.byteSize() % Float.BYTES != 0) {
            throw new IllegalArgumentException("tensor " + name + ": " + floats.byteSize() + " bytes are no floats");
        }
        return add(name, type, shape, floats.byteSize() / Float.BYTES, (piece, from, n) -> {
            for (int i = 0; i < n; i++) {
                type.put(piece, i, (double) floats.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, from + i));
            }
        });
    }

    /// Adds doubles as `dtype` `F64`, or rounded to `F32`.
    ///
    /// @throws IllegalArgumentException if the name is taken, the shape does not fit the data, or `dtype` is neither
    public SafetensorsWriter add(String name, String dtype, long[] shape, double[] data) {
        var type = floating(name, dtype);
        // Narrower types would be rounded twice, by way of float.
        if (type != ElementType.F64 && type != ElementType.F32) {
            throw new IllegalArgumentException("tensor " + name + ": doubles are written as F64 or F32, not " + dtype);
        }
        return add(name, type, shape, data.length, (piece, from, n) -> {
            for (int i = 0; i < n; i++) {
                type.put(piece, i, data[Math.toIntExact(from) + i]);
            }
        });
    }

    /// Adds whole numbers as `dtype` `I64`, `I32`, `I16`, `I8`, `U32`, `U16`, `U8` or `BOOL`.
    ///
    /// @throws IllegalArgumentException if the name is taken, the shape does not fit the data, or a value does not fit into `dtype`
    public SafetensorsWriter add(String name, String dtype, long[] shape, long[] data) {
        var type = type(name, dtype);
        var probe = MemorySegment.ofArray(new byte[8]);
        for (long value : data) {
            type.put(probe, 0, value); // a value that does not fit is the caller's mistake: told here, not when the file is half written
        }
        return add(name, type, shape, data.length, (piece, from, n) -> {
            for (int i = 0; i < n; i++) {
                type.put(piece, i, data[Math.toIntExact(from) + i]);
            }
        });
    }

    /// Adds bytes as `dtype` `U8`, `I8` or `BOOL`.
    ///
    /// @throws IllegalArgumentException if the name is taken, the shape does not fit the data, or `dtype` is none of these
    public SafetensorsWriter add(String name, String dtype, long[] shape, byte[] data) {
        if (type(name, dtype).size() != 1) {
            throw new IllegalArgumentException("tensor " + name + ": bytes are written as U8, I8 or BOOL, not " + dtype);
        }
        return addRaw(name, dtype, shape, MemorySegment.ofArray(data));
    }

    /// Adds elements of any type as they are to lie in the file: little-endian, row-major. How tensors are copied from file to file.
    ///
    /// @throws IllegalArgumentException if the name is taken, or the shape does not fit the data
    public SafetensorsWriter addRaw(String name, String dtype, long[] shape, MemorySegment bytes) {
        var type = type(name, dtype);
        if (bytes.byteSize() % type.size() != 0) {
            throw new IllegalArgumentException("tensor " + name + ": " + bytes.byteSize() + " bytes are no elements of " + dtype);
        }
        int size = type.size();
        return add(name, type, shape, bytes.byteSize() / size,
                (piece, from, n) -> MemorySegment.copy(bytes, from * size, piece, 0, (long) n * size));
    }

    /// Adds a tensor of another file as `dtype`: as it lies there, or rounded to another floating-point type. It is read when [#write] runs.
    ///
    /// @throws IllegalArgumentException if the name is taken, the file has no such tensor, or whole numbers would change their type
    public SafetensorsWriter add(TensorFile file, String name, String dtype) {
        var entry = file.entry(name);
        if (entry.dtype().equals(dtype)) return addRaw(name, dtype, entry.shape(), file.segment(name));
        var stored = type(name, entry.dtype());
        var type = floating(name, dtype);
        if (stored.isWhole()) throw new IllegalArgumentException("tensor " + name + ": whole numbers stay " + stored + ", not " + dtype);
        return add(name, type, entry.shape(), entry.count(), (piece, from, n) -> {
            var values = file.segment(name);
            for (int i = 0; i < n; i++) {
                type.put(piece, i, stored.value(values, from + i));
            }
        });
    }

    private static ElementType type(String name, String dtype) {
        return ElementType.named(dtype).orElseThrow(() -> new IllegalArgumentException("tensor " + name + ": no dtype " + dtype));
    }

    private static ElementType floating(String name, String dtype) {
        var type = type(name, dtype);
        if (type.isWhole() || type.size() == 1) {
            throw new IllegalArgumentException("tensor " + name + ": floating-point values cannot be written as " + dtype);
        }
        return type;
    }

    private SafetensorsWriter add(String name, ElementType type, long[] shape, long count, Source source) {
        long wanted = 1;
        for (long d : shape) {
            if (d < 0) {
                throw new IllegalArgumentException("tensor " + name + ": negative size in shape " + Arrays.toString(shape));
            }
            wanted = Math.multiplyExact(wanted, d);
        }
        if (wanted != count) {
            throw new IllegalArgumentException(
                    "tensor " + name + ": shape " + Arrays.toString(shape) + " has " + wanted + " elements, the data " + count);
        }
        if (name.equals("__metadata__")) {
            throw new IllegalArgumentException("a tensor cannot be called __metadata__");
        }
        var sizes = Arrays.stream(shape).boxed().toList();
        if (tensors.putIfAbsent(name, new Tensor(type, sizes, count, source)) != null) {
            throw new IllegalArgumentException("there is already a tensor " + name);
        }
        return this;
    }

    /// Writes the file. What stood there before stays until the new file is whole.
    ///
    /// @throws IOException if it cannot be written; one line that names the file
    public void write(Path path) throws IOException {
        write(path, bytes -> {});
    }

    /// As above; `written` is told the bytes of tensors written so far.
    public void write(Path path, LongConsumer written) throws IOException {
        var ordered = tensors.entrySet().stream()
                .sorted(Comparator.comparingInt(e -> -e.getValue().type().size()))
                .toList();
        var header = header(ordered);
        AtomicFile.write(path, out -> {
            out.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(header.length).array());
            out.write(header);
            long done = 0;
            for (var e : ordered) {
                writeData(out, e.getValue(), done, written);
                done += e.getValue().bytes();
            }
        });
    }

    private byte[] header(List<Map.Entry<String, Tensor>> ordered) throws IOException {
        ObjectNode root = JSON.createObjectNode();
        if (!metadata.isEmpty()) {
            metadata.forEach(root.putObject("__metadata__")::put);
        }
        long offset = 0;
        for (var e : ordered) {
            var tensor = e.getValue();
            var node = root.putObject(e.getKey()).put("dtype", tensor.type().name());
            tensor.shape().forEach(node.putArray("shape")::add);
            node.putArray("data_offsets").add(offset).add(offset + tensor.bytes());
            offset += tensor.bytes();
        }
        var json = JSON.writeValueAsString(root);
        var bytes = json.getBytes(StandardCharsets.UTF_8);
        // Spaces up to a multiple of 8, so that the data begins aligned in the file.
        int padded = (bytes.length + 7) / 8 * 8;
        var header = Arrays.copyOf(bytes, padded);
        Arrays.fill(header, bytes.length, padded, (byte) ' ');
        return header;
    }

    private static void writeData(OutputStream out, Tensor tensor, long before, LongConsumer written) throws IOException {
        var bytes = new byte[(int) Math.min(PIECE, tensor.count()) * tensor.type().size()];
        var piece = MemorySegment.ofArray(bytes);
        for (long from = 0; from < tensor.count(); from += PIECE) {
            int n = (int) Math.min(PIECE, tensor.count() - from);
            tensor.source().fill(piece, from, n);
            out.write(bytes, 0, n * tensor.type().size());
            written.accept(before + (from + n) * tensor.type().size());
        }
    }
}
