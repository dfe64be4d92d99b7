package otherwise.io;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Copies the tensors of a checkpoint into safetensors: one file, or several and an index once they grow past a size. Tensors are read from
/// the mapped file and written in pieces, so that memory does not matter.
///
/// `model.safetensors` becomes `model-00001-of-00003.safetensors` … and `model.safetensors.index.json`, as Hugging Face names them. The index
/// comes last: until it is there, there is no checkpoint.
public final class ShardedWriter {

    /// Sees the work: bytes of tensors written so far.
    @FunctionalInterface
    public interface Listener {
        void written(long bytes);
    }

    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final String ENDING = ".safetensors";

    private final TensorFile from;
    private final String dtype;
    private final long largest;

    /// @param dtype of the tensors of floating-point numbers, `F32`, `BF16` or `F16`; `null` leaves them as they are
    /// @param largest bytes of tensors in one file; a single tensor may be larger
    /// @throws IllegalArgumentException if there is no such dtype, or `largest` is not positive
    public ShardedWriter(TensorFile from, String dtype, long largest) {
        if (dtype != null && !List.of("F32", "BF16", "F16").contains(dtype)) {
            throw new IllegalArgumentException("dtype " + dtype + ": F32, BF16 or F16");
        }
        if (largest < 1) throw new IllegalArgumentException("a file of at most " + largest + " bytes: at least 1");
        this.from = from;
        this.dtype = dtype;
        this.largest = largest;
    }

    /// The number of tensors.
    public int tensors() {
        return from.names().size();
    }

    /// The bytes of all tensors once written.
    public long bytes() {
        return from.names().stream().mapToLong(this::bytes).sum();
    }

    /// Writes all tensors.
    ///
    /// @param to ends in `.safetensors`
    /// @return the file to open: `to`, or the index
    /// @throws IllegalArgumentException if `to` ends differently
    public Path write(Path to, Listener listener) throws IOException {
        var name = to.getFileName().toString();
        if (!name.endsWith(ENDING)) throw new IllegalArgumentException(to + ": the result's name must end in " + ENDING);
        var shards = shards();
        if (shards.size() == 1) {
            write(to, shards.getFirst(), 0, listener);
            return to;
        }
        var stem = name.substring(0, name.length() - ENDING.length());
        var index = JSON.createObjectNode();
        index.putObject("metadata").put("total_size", bytes());
        var places = index.putObject("weight_map");
        long done = 0;
        for (int i = 0; i < shards.size(); i++) {
            var shard = "%s-%05d-of-%05d%s".formatted(stem, i + 1, shards.size(), ENDING);
            done = write(to.resolveSibling(shard), shards.get(i), done, listener);
            for (var tensor : shards.get(i)) places.put(tensor, shard);
        }
        var path = to.resolveSibling(name + ".index.json");
        AtomicFile.write(path, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(index) + "\n");
        return path;
    }

    private long write(Path file, List<String> names, long before, Listener listener) throws IOException {
        var writer = new SafetensorsWriter().metadata(from.metadata());
        if (!from.metadata().containsKey("format")) writer.metadata(Map.of("format", "pt"));
        long done = before;
        for (var name : names) {
            writer.add(from, name, target(name));
            done += bytes(name);
        }
        writer.write(file, bytes -> listener.written(before + bytes));
        return done;
    }

    /// The names file by file, in their order.
    private List<List<String>> shards() {
        var shards = new ArrayList<List<String>>(List.of(new ArrayList<>()));
        long full = 0;
        for (var name : from.names()) {
            long bytes = bytes(name);
            if (full > 0 && full + bytes > largest) {
                shards.add(new ArrayList<>());
                full = 0;
            }
            shards.getLast().add(name);
            full += bytes;
        }
        return shards;
    }

    private long bytes(String name) {
        return from.entry(name).count() * ElementType.named(target(name)).orElseThrow().size();
    }

    private String target(String name) {
        var stored = from.entry(name).dtype();
        return dtype == null || ElementType.named(stored).orElseThrow().isWhole() ? stored : dtype;
    }
}
