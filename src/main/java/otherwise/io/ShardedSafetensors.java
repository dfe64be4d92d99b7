package otherwise.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/// A checkpoint in several safetensors files, found by its index: `{"metadata": {…}, "weight_map": {"tensor": "shard.safetensors"}}`.
///
/// A shard is mapped when its first tensor is asked for. Shards lie beside the index; a path that leads elsewhere is refused.
/// What is wrong with a shard comes to light at that moment, as an [UncheckedIOException] whose cause is the [InvalidFileException].
public final class ShardedSafetensors implements TensorFile {

    private static final long LARGEST_INDEX = 100_000_000;

    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final Path path;
    private final Map<String, String> metadata;
    private final Map<String, String> shardOf;
    private final Map<String, Safetensors> open = new HashMap<>();
    private boolean closed;

    private ShardedSafetensors(Path path, Map<String, String> metadata, Map<String, String> shardOf) {
        this.path = path;
        this.metadata = Collections.unmodifiableMap(metadata);
        this.shardOf = Collections.unmodifiableMap(shardOf);
    }

    /// Reads the index, and looks whether every shard that it names is there.
    ///
    /// @throws InvalidFileException if the index is missing or wrong, or a shard is missing
    public static ShardedSafetensors open(Path index) throws IOException {
        if (!Files.isRegularFile(index)) {
            throw new InvalidFileException(index, Files.isDirectory(index) ? "is a folder, not an index" : "no such file");
        }
        if (Files.size(index) > LARGEST_INDEX) {
            throw new InvalidFileException(index, Files.size(index) + " bytes are too many for an index of safetensors files");
        }
        JsonNode root;
        try {
            root = JSON.readTree(Files.readAllBytes(index));
        } catch (JsonProcessingException e) {
            throw new InvalidFileException(index, "not sound JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new InvalidFileException(index, "cannot be read: " + e.getMessage(), e);
        }
        if (!root.path("weight_map").isObject()) {
            throw new InvalidFileException(index, "not an index of safetensors files: it has no object weight_map");
        }
        var metadata = new LinkedHashMap<String, String>();
        root.path("metadata").properties().forEach(e -> metadata.put(e.getKey(), e.getValue().asText()));
        var shardOf = new LinkedHashMap<String, String>();
        for (var e : root.get("weight_map").properties()) {
            shardOf.put(e.getKey(), shard(index, e.getKey(), e.getValue()));
        }
        return new ShardedSafetensors(index, metadata, shardOf);
    }

    private static String shard(Path index, String tensor, JsonNode value) throws IOException {
        var where = "weight_map " + InvalidFileException.quoted(tensor) + ": ";
        var name = value.asText();
        if (!value.isTextual() || name.isEmpty() || name.startsWith(".") || name.matches(".*[/\\\\:\\p{Cntrl}].*")) {
            throw new InvalidFileException(index,
                    where + InvalidFileException.quoted(name) + " is not the name of a file beside the index");
        }
        if (!Files.isRegularFile(index.resolveSibling(name))) {
            throw new InvalidFileException(index, where + "the shard " + InvalidFileException.quoted(name) + " is missing");
        }
        return name;
    }

    /// The files in which the tensors lie.
    public Set<Path> shards() {
        return shardOf.values().stream().map(path::resolveSibling).collect(Collectors.toSet());
    }

    @Override
    public Path path() {
        return path;
    }

    /// The `metadata` of the index, numbers as text.
    @Override
    public Map<String, String> metadata() {
        return metadata;
    }

    @Override
    public List<String> names() {
        return List.copyOf(shardOf.keySet());
    }

    @Override
    public boolean contains(String name) {
        return shardOf.containsKey(name);
    }

    /// As in [TensorFile]; the offset is that in the shard.
    ///
    /// @throws UncheckedIOException if the shard cannot be read
    @Override
    public Entry entry(String name) {
        return shard(name).entry(name);
    }

    /// As in [TensorFile].
    ///
    /// @throws UncheckedIOException if the shard cannot be read
    @Override
    public MemorySegment segment(String name) {
        return shard(name).segment(name);
    }

    private synchronized Safetensors shard(String tensor) {
        var file = shardOf.get(tensor);
        if (file == null) {
            throw new IllegalArgumentException(path + ": has no tensor " + InvalidFileException.quoted(tensor));
        }
        if (closed) {
            throw new IllegalStateException(path + ": is closed");
        }
        return open.computeIfAbsent(file, this::map);
    }

    private Safetensors map(String file) {
        try {
            return Safetensors.open(path.resolveSibling(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e.getMessage(), e);
        }
    }

    /// Unmaps all shards. A second call does nothing.
    @Override
    public synchronized void close() {
        closed = true;
        open.values().forEach(Safetensors::close);
        open.clear();
    }
}
