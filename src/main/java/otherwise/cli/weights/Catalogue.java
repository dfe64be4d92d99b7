package otherwise.cli.weights;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import otherwise.io.Download;
import otherwise.io.InvalidFileException;

/// The public checkpoints that we know of: what `weights/catalogue.json` says about them.
record Catalogue(Path file, List<Checkpoint> checkpoints) {
    private static final JsonMapper JSON = new JsonMapper();

    /// One network's checkpoint, in one or several files.
    ///
    /// @param model what `weights check --as` calls it; empty for what is no network
    /// @param names the naming of its tensors; empty for what is no network
    /// @param source a page about it
    /// @param base what stands before the path of a file in its address
    record Checkpoint(String name, String what, String model, String names, String licence, String source, String base, List<Part> files) {

        /// The sizes of its files together; −1 if one is not known.
        long size() {
            // Files as small as a configuration are often listed without a size.
            boolean unknown = files.stream().anyMatch(f -> f.size < 0 && !f.path.endsWith(".json"));
            return unknown ? -1 : files.stream().mapToLong(f -> Math.max(0, f.size)).sum();
        }

        /// The downloads that make it up, into the folder of its name below `folder`.
        List<Download> downloads(Path folder) {
            return files.stream().map(f -> new Download(URI.create(base + f.path), folder.resolve(name).resolve(f.path), f.size, f.sha256))
                    .toList();
        }
    }

    /// One file.
    ///
    /// @param path below the address of the checkpoint and below its folder
    /// @param size −1 if it is not known
    /// @param sha256 whole, or its first digits; empty if it is not known
    record Part(String path, long size, String sha256) {}

    /// Where checkpoints are put unless one says otherwise: below the program's own folder, out of version control.
    static Path folder() {
        return home().resolve("weights").resolve("public");
    }

    /// The list that comes with the program.
    static Path standard() {
        return home().resolve("weights").resolve("catalogue.json");
    }

    private static Path home() {
        // The launcher says where it lives; started otherwise, the current folder is taken for it.
        return Path.of(System.getProperty("otherwise.home", ".")).normalize();
    }

    /// @throws InvalidFileException if it cannot be read, or an entry is not as it must be
    static Catalogue read(Path file) throws IOException {
        if (!Files.isRegularFile(file)) throw new InvalidFileException(file, "no such file");
        try {
            var checkpoints = new ArrayList<Checkpoint>();
            var names = new HashSet<String>();
            for (var node : JSON.readTree(file.toFile()).required("checkpoints")) {
                var checkpoint = checkpoint(node);
                if (!names.add(checkpoint.name)) throw new IllegalArgumentException("there are two checkpoints " + checkpoint.name);
                checkpoints.add(checkpoint);
            }
            return new Catalogue(file, List.copyOf(checkpoints));
        } catch (JsonProcessingException e) {
            throw new InvalidFileException(file, "not sound JSON: " + e.getOriginalMessage(), e);
        } catch (IllegalArgumentException e) {
            throw new InvalidFileException(file, String.valueOf(e.getMessage()), e);
        }
    }

    private static Checkpoint checkpoint(JsonNode node) {
        var name = node.required("name").asText();
        if (!name.matches("[A-Za-z0-9][A-Za-z0-9._-]*")) throw new IllegalArgumentException("'" + name + "' is no name for a folder");
        var files = new ArrayList<Part>();
        for (var file : node.required("files")) files.add(part(name, file));
        if (files.isEmpty()) throw new IllegalArgumentException(name + ": has no files");
        var base = node.required("base").asText();
        try {
            var scheme = String.valueOf(new URI(base).getScheme());
            if (!scheme.matches("https?")) throw new IllegalArgumentException(name + ": cannot fetch from " + base);
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException(name + ": " + base + " is no address", e);
        }
        return new Checkpoint(
                name, node.required("what").asText(), node.path("model").asText(""), node.path("names").asText(""),
                node.required("licence").asText(), node.path("source").asText(""), base, List.copyOf(files));
    }

    private static Part part(String checkpoint, JsonNode node) {
        var path = node.required("path").asText();
        // What a list says must stay in the folder of its checkpoint.
        if (!path.matches("[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")) {
            throw new IllegalArgumentException(checkpoint + ": '" + path + "' is no path of a file");
        }
        var sha256 = node.path("sha256").asText(node.path("sha256_prefix").asText(""));
        if (!sha256.matches("[0-9a-f]{0,64}") || node.has("sha256") && sha256.length() != 64) {
            throw new IllegalArgumentException(checkpoint + ": '" + sha256 + "' is no sha256");
        }
        return new Part(path, node.path("size").asLong(-1), sha256);
    }

    /// @throws IllegalArgumentException if there is none of this name, naming those that come close
    Checkpoint named(String name) {
        for (var checkpoint : checkpoints) if (checkpoint.name.equals(name)) return checkpoint;
        var wanted = name.toLowerCase(Locale.ROOT);
        var close = checkpoints.stream().map(Checkpoint::name).filter(n -> n.startsWith(wanted) || wanted.startsWith(n))
                .collect(Collectors.joining(", "));
        throw new IllegalArgumentException(
                "no checkpoint is called '" + name + "'; " + (close.isEmpty() ? "see: otherwise weights list" : "there are " + close));
    }
}
