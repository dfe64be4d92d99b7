package otherwise.support;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import otherwise.backend.Shape;

/// The tensors of a published checkpoint.
public final class Manifest {
    private Manifest() {}

    /// Names and shapes, as its manifest has them; only those of a dtype (`int64`, `float32` …), if one is given, and with `!` before it all
    /// others. Skips the test where there is no such manifest.
    public static Map<String, Shape> of(String manifest, String dtype) throws IOException {
        var file = Path.of("../shared/goldens/manifests", manifest);
        assumeTrue(Files.exists(file), "the manifests are not here");
        var tensors = new TreeMap<String, Shape>();
        for (var entry : new JsonMapper().readTree(file.toFile()).required("entries")) {
            var type = entry.get(2).asText();
            if (dtype != null && (dtype.startsWith("!") ? type.equals(dtype.substring(1)) : !type.equals(dtype))) continue;
            var dims = new long[entry.get(1).size()];
            for (int i = 0; i < dims.length; i++) dims[i] = entry.get(1).get(i).asLong();
            tensors.put(entry.get(0).asText(), Shape.of(dims));
        }
        return tensors;
    }
}
