package otherwise.models.clip;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import otherwise.backend.Shape;
import otherwise.nn.Inventory;
import otherwise.nn.Names;
import otherwise.support.Manifest;

/// Does the ViT-H/14 find in Wan's CLIP checkpoint exactly what it asks for?
class ClipManifestTest {

    /// The whole image encoder has 632,076,800 parameters; the final norm and the projection are not used.
    @Test
    void visualPart() throws IOException {
        var ours = Inventory.of(w -> ClipVision.load(w, ClipConfig.vitH14()));
        assertEquals(632_076_800L - (1280L * 1024 + 2 * 1280), Inventory.elements(ours));
        var stored = Manifest.of("clip_xlm_roberta_vit_h_14.json", null);
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
