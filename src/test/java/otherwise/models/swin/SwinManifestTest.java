package otherwise.models.swin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import otherwise.backend.Shape;
import otherwise.nn.Inventory;

/// Do the published sizes ask for exactly the tensors of torchvision's checkpoints?
class SwinManifestTest {

    @Test
    void tiny() throws IOException {
        compare("swin3d_t.json", SwinConfig.t(), 28_158_070L);
    }

    @Test
    void small() throws IOException {
        compare("swin3d_s.json", SwinConfig.s(), 49_816_678L);
    }

    @Test
    void base() throws IOException {
        compare("swin3d_b.json", SwinConfig.b(), 88_048_984L);
    }

    /// Beside what we ask for, a checkpoint has only the table of relative positions of every block, in whole numbers, which we compute.
    private static void compare(String manifest, SwinConfig config, long elements) throws IOException {
        var ours = Inventory.of(w -> VideoSwin.load(w, config));
        assertEquals(elements, Inventory.elements(ours));
        var file = Path.of("../shared/goldens/manifests", manifest);
        assumeTrue(Files.exists(file), "the manifests are not here");
        var theirs = new TreeMap<String, Shape>();
        var tables = new TreeMap<String, Shape>();
        for (var entry : new JsonMapper().readTree(file.toFile()).required("entries")) {
            var dims = new long[entry.get(1).size()];
            for (int i = 0; i < dims.length; i++) dims[i] = entry.get(1).get(i).asLong();
            (entry.get(2).asText().equals("int64") ? tables : theirs).put(entry.get(0).asText(), Shape.of(dims));
        }
        assertEquals(theirs, ours);
        assertEquals(config.depths().stream().mapToInt(Integer::intValue).sum(), tables.size());
        int n = config.windowTokens();
        tables.forEach((name, shape) -> {
            assertEquals(Shape.of(n, n), shape, name);
            for (var names : SwinNames.ALL) assertEquals(true, names.isSpare(name), name);
        });
    }
}
