package otherwise.io;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Named tensors in a file, or in the several files of one checkpoint: read lazily, converted on demand.
///
/// Closing it ends the life of every [#segment]; arrays handed out stay. All methods may be called from any thread.
public interface TensorFile extends AutoCloseable {

    /// What a file says about one tensor: `name`, `dtype` as safetensors spells it (`F32`, `BF16` …), `shape` (empty for a scalar),
    /// and where its `bytes` lie: `offset` from the start of the file that holds it.
    record Entry(String name, String dtype, long[] shape, long offset, long bytes) {

        /// How many elements: the product of the shape, 1 for a scalar.
        public long count() {
            long n = 1;
            for (long d : shape) {
                n *= d;
            }
            return n;
        }

        @Override
        public String toString() {
            return name + " " + Arrays.toString(shape) + " " + dtype;
        }
    }

    /// Opens a safetensors file, the `*.index.json` of a sharded checkpoint, a [DescribedFile], or what `torch.save` wrote; which of them, the
    /// file's first bytes tell.
    ///
    /// @throws InvalidFileException if the file is missing or is none of these
    static TensorFile open(Path path) throws IOException {
        if (path.toString().endsWith(".json")) return DescribedFile.is(path) ? DescribedFile.open(path) : ShardedSafetensors.open(path);
        if (Files.isRegularFile(path)) {
            try (var file = Files.newInputStream(path)) {
                if (TorchCheckpoint.begins(file.readNBytes(8))) return TorchCheckpoint.open(path);
            }
        }
        return Safetensors.open(path);
    }

    /// The file that was opened.
    Path path();

    /// The free text that came with the tensors, in the order of the file.
    Map<String, String> metadata();

    /// The names of all tensors, in the order of the file.
    List<String> names();

    /// All tensors by name, in the order of the file.
    default Map<String, Entry> entries() {
        var entries = new LinkedHashMap<String, Entry>();
        names().forEach(name -> entries.put(name, entry(name)));
        return entries;
    }

    /// Whether there is a tensor of that name.
    boolean contains(String name);

    /// What the file says about `name`.
    ///
    /// @throws IllegalArgumentException if there is no such tensor
    Entry entry(String name);

    /// The bytes of `name` as they lie in the file: little-endian, row-major, mapped and not copied, at any alignment.
    ///
    /// @throws IllegalArgumentException if there is no such tensor
    MemorySegment segment(String name);

    @Override
    void close();

    /// The values of `name` as floats, whatever they are stored as. Wide types are rounded to the nearest float.
    ///
    /// @throws IllegalArgumentException if there is no such tensor, or it has more elements than an array (use [#copyTo])
    default float[] floats(String name) {
        var values = new float[arraySize(name)];
        copyTo(name, MemorySegment.ofArray(values));
        return values;
    }

    /// The values of `name` as doubles, whatever they are stored as.
    ///
    /// @throws IllegalArgumentException if there is no such tensor, or it has more elements than an array
    default double[] doubles(String name) {
        var values = new double[arraySize(name)];
        var type = type(name);
        var from = segment(name);
        for (int i = 0; i < values.length; i++) {
            values[i] = type.value(from, i);
        }
        return values;
    }

    /// The values of `name`, which must be stored as whole numbers or truth values (0 and 1).
    ///
    /// @throws IllegalArgumentException if there is no such tensor, it has more elements than an array, or it holds fractions
    default long[] longs(String name) {
        var type = type(name);
        if (!type.isWhole()) {
            throw new IllegalArgumentException(path() + ": " + entry(name) + " does not hold whole numbers");
        }
        var values = new long[arraySize(name)];
        var from = segment(name);
        for (int i = 0; i < values.length; i++) {
            values[i] = type.whole(from, i);
        }
        return values;
    }

    /// Puts the values of `name` as 32-bit floats in the machine's byte order into `to`, which must be exactly as large as that takes.
    ///
    /// @throws IllegalArgumentException if there is no such tensor, or `to` has another size
    default void copyTo(String name, MemorySegment to) {
        long count = entry(name).count();
        if (to.byteSize() != count * ValueLayout.JAVA_FLOAT.byteSize()) {
            throw new IllegalArgumentException(path() + ": " + entry(name) + " takes " + count * ValueLayout.JAVA_FLOAT.byteSize()
                    + " bytes as floats, the destination has " + to.byteSize());
        }
        type(name).toFloats(segment(name), to, count);
    }

    private ElementType type(String name) {
        return ElementType.named(entry(name).dtype()).orElseThrow();
    }

    private int arraySize(String name) {
        long count = entry(name).count();
        if (count > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException(path() + ": " + entry(name) + " is too large for an array");
        }
        return (int) count;
    }
}
