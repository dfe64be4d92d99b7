package otherwise.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Checkpoints that do not say what they are, and a JSON file that says it for them, in the place of one file with all tensors and metadata:
///
///     {"kind": "wan-i2v", "shift": 5, …, "tensors": {"dit.": "wan/diffusion_pytorch_model.safetensors.index.json", "": "prompt.safetensors"}}
///
/// `tensors` names files, from the folder of the description on, each behind what is put before its tensors' names. Every other entry is a
/// line of metadata: a text, or what it is as JSON. Nothing is copied.
public final class DescribedFile implements TensorFile {
    private static final JsonMapper JSON = new JsonMapper();

    /// A tensor of one of the files.
    private record Place(TensorFile file, String name) {}

    private final Path path;
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final List<TensorFile> files = new ArrayList<>();
    private final Map<String, Place> places = new LinkedHashMap<>();

    private DescribedFile(Path path) {
        this.path = path;
    }

    /// Whether a JSON file is a description, and not the index of a checkpoint in several files.
    static boolean is(Path json) throws IOException {
        return !json.toString().endsWith(".index.json") && Files.isRegularFile(json) && read(json).has("tensors");
    }

    /// Opens all files that are named.
    ///
    /// @throws InvalidFileException if the description or one of the files is missing or wrong
    public static DescribedFile open(Path path) throws IOException {
        var described = new DescribedFile(path);
        try {
            for (var entry : read(path).properties()) {
                var value = entry.getValue();
                if (entry.getKey().equals("tensors")) described.add(value);
                else described.metadata.put(entry.getKey(), value.isTextual() ? value.asText() : value.toString());
            }
            return described;
        } catch (IOException | RuntimeException e) {
            described.close();
            throw e;
        }
    }

    private static JsonNode read(Path path) throws IOException {
        try {
            return JSON.readTree(Files.readAllBytes(path));
        } catch (JsonProcessingException e) {
            throw new InvalidFileException(path, "not sound JSON: " + e.getOriginalMessage(), e);
        }
    }

    /// The files that a description names, and the parts of those that are in several; the file itself if it is no description.
    public static List<Path> behind(Path path) throws IOException {
        var all = new ArrayList<>(List.of(path));
        if (!path.toString().endsWith(".json")) return all;
        var root = read(path);
        for (var file : root.path("tensors")) all.addAll(behind(path.resolveSibling(file.asText())));
        root.path("weight_map").properties().stream().map(e -> e.getValue().asText()).distinct().sorted()
                .forEach(shard -> all.add(path.resolveSibling(shard)));
        return all;
    }

    private void add(JsonNode tensors) throws IOException {
        for (var entry : tensors.properties()) {
            var from = path.resolveSibling(entry.getValue().asText());
            if (from.toString().endsWith(".json") && is(from)) {
                throw new InvalidFileException(path, InvalidFileException.quoted(entry.getValue().asText()) + " is a description itself");
            }
            var file = TensorFile.open(from);
            files.add(file);
            for (var name : file.names()) {
                if (places.putIfAbsent(entry.getKey() + name, new Place(file, name)) != null) {
                    throw new InvalidFileException(path, "two files have a tensor " + InvalidFileException.quoted(entry.getKey() + name));
                }
            }
        }
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public Map<String, String> metadata() {
        return metadata;
    }

    @Override
    public List<String> names() {
        return List.copyOf(places.keySet());
    }

    @Override
    public boolean contains(String name) {
        return places.containsKey(name);
    }

    /// As in [TensorFile]; the offset is that in the file that holds it.
    @Override
    public Entry entry(String name) {
        var place = place(name);
        var entry = place.file.entry(place.name);
        return new Entry(name, entry.dtype(), entry.shape(), entry.offset(), entry.bytes());
    }

    @Override
    public MemorySegment segment(String name) {
        var place = place(name);
        return place.file.segment(place.name);
    }

    private Place place(String name) {
        var place = places.get(name);
        if (place == null) throw new IllegalArgumentException(path + ": has no tensor " + InvalidFileException.quoted(name));
        return place;
    }

    @Override
    public void close() {
        files.forEach(TensorFile::close);
    }
}
