package otherwise.cli.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import otherwise.io.InvalidFileException;

/// What another program measured of the same cases on the same device, as `tools/gpu/peer.py` writes it:
///
///     {"name": "PyTorch 2.11", "flops": 7e14, "bytes": 3e12, "cases": {"matmul-4096": {"seconds": 2e-4, "peak": 100663296}}}
///
/// @param name what stands over its column
/// @param flops operations in a second of the fastest large product, NaN if unknown: a ceiling
/// @param bytes bytes in a second, read and written, of a large copy within the device, NaN if unknown: the other ceiling
/// @param figures by case; what it could not run is missing
record Elsewhere(String name, double flops, double bytes, Map<String, Figure> figures) {

    /// @param seconds the median of its runs
    /// @param peak the most bytes in use, NaN if unknown
    record Figure(double seconds, double peak) {}

    /// @throws InvalidFileException if the file is not as above
    static Elsewhere read(Path file) throws IOException {
        var text = Files.readAllBytes(file);
        JsonNode root;
        try {
            root = new ObjectMapper().readTree(text);
        } catch (IOException e) {
            throw new InvalidFileException(file, "cannot be read as JSON", e);
        }
        if (!root.path("name").isTextual() || !root.path("cases").isObject())
            throw new InvalidFileException(file, "has no 'name' and 'cases', as tools/gpu/peer.py writes them");
        var figures = new HashMap<String, Figure>();
        for (var entry : root.path("cases").properties()) {
            double seconds = entry.getValue().path("seconds").asDouble();
            if (seconds > 0) figures.put(entry.getKey(), new Figure(seconds, number(entry.getValue().path("peak"))));
        }
        return new Elsewhere(root.path("name").asText(), number(root.path("flops")), number(root.path("bytes")), figures);
    }

    private static double number(JsonNode node) {
        return node.isNumber() ? node.asDouble() : Double.NaN;
    }

    /// What it has of a case; NaN where it has nothing.
    Figure of(String name) {
        return figures.getOrDefault(name, new Figure(Double.NaN, Double.NaN));
    }
}
