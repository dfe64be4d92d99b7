package otherwise.models.wan;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import otherwise.nn.Inventory;
import otherwise.support.Manifest;

/// Do our full-size networks ask for exactly the tensors of the published checkpoints?
class WanManifestTest {

    @Test
    void imageToVideo() throws IOException {
        var asked = Inventory.of(w -> WanTransformer.load(w, WanConfig.i2v14B()));
        assertEquals(16_394_878_784L, Inventory.elements(asked));
        assertEquals(Manifest.of("wan2.1_i2v_14b_480p_dit.json", null), asked);
    }

    @Test
    void textToVideo() throws IOException {
        var asked = Inventory.of(w -> WanTransformer.load(w, WanConfig.t2v1_3B()));
        assertEquals(1_418_996_800L, Inventory.elements(asked));
        assertEquals(Manifest.of("wan2.1_t2v_1.3b_dit.json", null), asked);
    }

    @Test
    void autoencoder() throws IOException {
        var asked = Inventory.of(w -> WanVae.load(w, WanVaeConfig.wan2_1(), LatentScale.wan2_1()));
        assertEquals(126_892_531L, Inventory.elements(asked));
        assertEquals(Manifest.of("wan2.1_vae.json", null), asked);
    }
}
