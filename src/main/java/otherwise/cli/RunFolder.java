package otherwise.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import otherwise.explain.BttfOptions;
import otherwise.explain.Iteration;
import otherwise.explain.JournalFile;
import otherwise.explain.ModelFiles;
import otherwise.io.DescribedFile;
import otherwise.io.AtomicFile;
import otherwise.io.InvalidFileException;
import otherwise.io.Sha256;
import otherwise.io.Video;
import otherwise.io.VideoFile;

/// The folder of one explanation: what was asked, with which models; the state to go on from; and in the end the results.
///
/// Everything that the answer depends on is in `run.json` and `original.mkv` (which holds the video bit for bit), so a run can be gone on
/// with, or made again, from the folder and the model files alone.
record RunFolder(Path path) {
    private static final String RUN = "run.json";
    private static final String ORIGINAL = "original.mkv";
    private static final JsonMapper JSON = JsonMapper.builder().build();

    /// What a run depends on.
    ///
    /// @param hashes sha256 of the model files, by their names
    record Run(String input, String note, Path models, Map<String, String> hashes, String device, int source, int target,
            BttfOptions options) {}

    /// A new folder for a run.
    ///
    /// @throws IllegalArgumentException if there is something in it already, or it cannot be made
    static RunFolder create(Path path) throws IOException {
        requireNew(path);
        Files.createDirectories(path);
        return new RunFolder(path);
    }

    /// @throws IllegalArgumentException if there is something in the folder already, or it cannot be made
    static void requireNew(Path path) throws IOException {
        OutputFolder.requireEmpty(path, ", or go on with: otherwise explain --resume " + path);
    }

    /// The first of `base`, `base-2`, `base-3`, … that does not exist.
    static Path free(Path base) {
        var path = base;
        for (int i = 2; Files.exists(path); i++) path = base.resolveSibling(base.getFileName() + "-" + i);
        return path;
    }

    /// The sha256 of every model file, and of the files that a description names in its place.
    static Map<String, String> hashes(ModelFiles files) throws IOException {
        var hashes = new LinkedHashMap<String, String>();
        for (var file : List.of(files.classifier(), files.vae(), files.generator())) {
            for (var part : DescribedFile.behind(file)) {
                hashes.put((part.equals(file) ? part.getFileName() : part).toString(), Sha256.of(part));
            }
        }
        return hashes;
    }

    Path state() {
        return path.resolve("state.safetensors");
    }

    void begin(Run run, Video original) throws IOException {
        VideoFile.writeLossless(path.resolve(ORIGINAL), original);
        ObjectNode json = JSON.createObjectNode();
        json.put("input", run.input).put("note", run.note).put("models", run.models.toAbsolutePath().toString());
        json.set("sha256", JSON.valueToTree(run.hashes));
        json.put("device", run.device).put("source", run.source).put("target", run.target);
        json.put("java", Runtime.version().toString()).put("version", version());
        json.set("options", JSON.valueToTree(run.options));
        AtomicFile.write(path.resolve(RUN), JSON.writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n");
    }

    static String version() {
        var version = RunFolder.class.getPackage().getImplementationVersion();
        return version == null ? "unpackaged" : version;
    }

    /// @throws InvalidFileException if the folder holds no run
    Run run() throws IOException {
        var file = path.resolve(RUN);
        if (!Files.exists(file)) throw new InvalidFileException(file, "not there: the folder holds no run to go on with");
        try {
            JsonNode json = JSON.readTree(file.toFile());
            var hashes = new LinkedHashMap<String, String>();
            for (var e : json.get("sha256").properties()) hashes.put(e.getKey(), e.getValue().asText());
            return new Run(
                    json.get("input").asText(),
                    json.get("note").asText(),
                    Path.of(json.get("models").asText()),
                    hashes,
                    json.get("device").asText(),
                    json.get("source").asInt(),
                    json.get("target").asInt(),
                    JSON.treeToValue(json.get("options"), BttfOptions.class));
        } catch (com.fasterxml.jackson.core.JsonProcessingException | NullPointerException e) {
            throw new InvalidFileException(file, "not what a run writes", e);
        }
    }

    Video original() throws IOException {
        return VideoFile.read(path.resolve(ORIGINAL));
    }

    /// The iterations that a run to be gone on with has behind it: the state knows, the log file may be one ahead or behind.
    List<Iteration> saved() throws IOException {
        var last = new JournalFile(state()).last();
        if (last.isEmpty()) return List.of();
        return last.get().notes().getOrDefault("log", "").lines().map(Iteration::parse).toList();
    }

    void writeLog(List<Iteration> log) throws IOException {
        var lines = new StringBuilder(String.join(",", Iteration.COLUMNS)).append('\n');
        for (var iteration : log) lines.append(iteration.csv()).append('\n');
        AtomicFile.write(path.resolve("iterations.csv"), lines.toString());
    }

    void writeJson(String name, Object value) throws IOException {
        AtomicFile.write(path.resolve(name), JSON.writerWithDefaultPrettyPrinter().writeValueAsString(value) + "\n");
    }
}
