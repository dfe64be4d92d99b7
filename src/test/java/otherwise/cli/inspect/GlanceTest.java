package otherwise.cli.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.cli.Otherwise;

/// A look at the layers of the models that ship.
class GlanceTest {
    private static final String MODELS = "weights/shape-moving-mini/";

    @TempDir
    private Path folder;

    private int draw(String file, String layer, String... more) {
        var out = folder.resolve("layer.png").toString();
        var args = new ArrayList<>(List.of("inspect", MODELS + file, "--run", "3", "--layer", layer, "--out", out));
        args.addAll(List.of(more));
        return Otherwise.run(args.toArray(String[]::new));
    }

    @Test
    void everyNetworkCanBeLookedInto() throws IOException {
        for (var at : new String[][] {
            {"classifier.safetensors", "features.0.1"}, {"vae.safetensors", "decoder.upsamples.1"},
            {"generator.safetensors", "blocks.1"}}) {
            assertEquals(0, draw(at[0], at[1], "--channels", "2"), at[1]);
            var picture = ImageIO.read(folder.resolve("layer.png").toFile());
            assertTrue(picture.getHeight() > 4 * 90, at[1] + ": the video, all channels, and two of them");
        }
    }

    @Test
    void attentionHasARowForEveryHead() throws IOException {
        assertEquals(0, draw("generator.safetensors", "blocks.0.self_attn", "--at", "16,40,20"));
        var picture = ImageIO.read(folder.resolve("layer.png").toFile());
        assertEquals(4 + 6 * (96 + 4), picture.getHeight(), "the video, the mean, four heads");
    }

    @Test
    void whatCannotBeDrawnIsRefused() {
        assertEquals(2, draw("classifier.safetensors", "features.9"));
        assertEquals(2, draw("generator.safetensors", "blocks.0.ffn", "--at", "0,1,1"));
        assertEquals(2, draw("generator.safetensors", "blocks.0.self_attn", "--at", "0,64,1"));
        assertEquals(2, draw("generator.safetensors", "time_embedding"));
        assertFalse(Files.exists(folder.resolve("layer.png")));
    }
}
