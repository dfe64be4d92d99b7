package otherwise.cli.weights;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import otherwise.backend.Shape;
import otherwise.io.TensorFile;

/// A checkpoint that nobody trained: numbers from a seed and the tensor's name, made when they are asked for, so that a network of any size
/// can be tried for its memory and speed. Matrices keep the size of what passes through them, gains are 1, biases 0.
final class RandomFile implements TensorFile {
    private final String name;
    private final long seed;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private String last;
    private MemorySegment values;

    RandomFile(String name, Map<String, Shape> tensors, long seed) {
        this.name = name;
        this.seed = seed;
        long offset = 0;
        for (var tensor : tensors.entrySet()) {
            long bytes = 4 * tensor.getValue().size();
            entries.put(tensor.getKey(), new Entry(tensor.getKey(), "F32", tensor.getValue().dims(), offset, bytes));
            offset += bytes;
        }
    }

    @Override
    public Path path() {
        return Path.of(name);
    }

    @Override
    public Map<String, String> metadata() {
        return Map.of("note", "random numbers of seed " + seed + ", not trained");
    }

    @Override
    public List<String> names() {
        return List.copyOf(entries.keySet());
    }

    @Override
    public Map<String, Entry> entries() {
        return entries;
    }

    @Override
    public boolean contains(String tensor) {
        return entries.containsKey(tensor);
    }

    @Override
    public Entry entry(String tensor) {
        var entry = entries.get(tensor);
        if (entry == null) throw new IllegalArgumentException(name + ": has no tensor '" + tensor + "'");
        return entry;
    }

    /// Made at the first call for a tensor, and kept until another one is asked for: writers come back for every piece.
    @Override
    public MemorySegment segment(String tensor) {
        if (!tensor.equals(last)) {
            values = made(tensor);
            last = tensor;
        }
        return values;
    }

    private MemorySegment made(String tensor) {
        var entry = entry(tensor);
        var fresh = Arena.ofAuto().allocate(Math.max(4, entry.bytes()), 64).asSlice(0, entry.bytes());
        long inputs = entry.shape().length == 0 || entry.shape()[0] == 0 ? 1 : entry.count() / entry.shape()[0];
        var random = new SplittableRandom(seed * 31 + tensor.hashCode());
        // A uniform distribution of variance 1 / inputs.
        double scale = Math.sqrt(3.0 / Math.max(1, inputs));
        for (long i = 0; i < entry.count(); i++) {
            double value = inputs > 1 ? scale * (2 * random.nextDouble() - 1) : tensor.endsWith("bias") ? 0 : 1;
            fresh.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) value);
        }
        return fresh;
    }

    @Override
    public void close() {}
}
