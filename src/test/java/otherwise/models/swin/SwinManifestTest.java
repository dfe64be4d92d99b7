package otherwise.models.swin;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import otherwise.backend.Shape;
import otherwise.nn.Inventory;
import otherwise.support.Manifest;

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
        var theirs = Manifest.of(manifest, "!int64");
        var tables = Manifest.of(manifest, "int64");
        assertEquals(theirs, ours);
        assertEquals(config.depths().stream().mapToInt(Integer::intValue).sum(), tables.size());
        int n = config.windowTokens();
        tables.forEach((name, shape) -> {
            assertEquals(Shape.of(n, n), shape, name);
            for (var names : SwinNames.ALL) assertEquals(true, names.isSpare(name), name);
        });
    }
}
