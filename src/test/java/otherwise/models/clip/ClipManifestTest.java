package otherwise.models.clip;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import otherwise.backend.Shape;
import otherwise.nn.Inventory;
import otherwise.nn.Names;

/// Does the ViT-H/14 find in Wan's CLIP checkpoint exactly what it asks for?
class ClipManifestTest {

    /// The whole image encoder has 632,076,800 parameters; the final norm and the projection are not used.
    @Test
    void visualPart() throws IOException {
        var ours = Inventory.of(w -> ClipVision.load(w, ClipConfig.vitH14()));
        assertEquals(632_076_800L - (1280L * 1024 + 2 * 1280), Inventory.elements(ours));
        var file = Path.of("../shared/goldens/manifests/clip_xlm_roberta_vit_h_14.json");
        assumeTrue(Files.exists(file), "the manifests are not here");
        var stored = new TreeMap<String, Shape>();
        for (var entry : new JsonMapper().readTree(file.toFile()).required("entries")) {
            var dims = new long[entry.get(1).size()];
            for (int i = 0; i < dims.length; i++) dims[i] = entry.get(1).get(i).asLong();
            stored.put(entry.get(0).asText(), Shape.of(dims));
        }
        var naming = Names.in(stored.keySet(), ClipNames.ALL).orElseThrow().names();
        assertEquals("official, with the text encoder", naming.title());
        var theirs = new TreeMap<String, Shape>();
        stored.forEach((name, shape) -> {
            var known = naming.ours(name).orElse(name);
            if (!naming.isSpare(known)) theirs.put(known, shape);
        });
        assertEquals(theirs, ours);
        var spare = stored.keySet().stream().filter(n -> n.startsWith("visual.") && naming.isSpare(naming.ours(n).orElseThrow())).toList();
        assertEquals(List.of("visual.head", "visual.post_norm.bias", "visual.post_norm.weight"), spare);
    }
}
