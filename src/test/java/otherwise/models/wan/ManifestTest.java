package otherwise.models.wan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static otherwise.support.Manifest.askedFor;
import static otherwise.support.Manifest.compare;
import static otherwise.support.Manifest.elements;

import java.io.IOException;
import org.junit.jupiter.api.Test;

/// Do our full-size networks ask for exactly the tensors of the published checkpoints?
class ManifestTest {

    @Test
    void imageToVideo() throws IOException {
        var asked = askedFor(w -> WanTransformer.load(w, WanConfig.i2v14B()));
        assertEquals(16_394_878_784L, elements(asked));
        compare("wan2.1_i2v_14b_480p_dit.json", asked);
    }

    @Test
    void textToVideo() throws IOException {
        var asked = askedFor(w -> WanTransformer.load(w, WanConfig.t2v1_3B()));
        assertEquals(1_418_996_800L, elements(asked));
        compare("wan2.1_t2v_1.3b_dit.json", asked);
    }

    @Test
    void autoencoder() throws IOException {
        var asked = askedFor(w -> WanVae.load(w, WanVaeConfig.wan2_1(), LatentScale.wan2_1()));
        assertEquals(126_892_531L, elements(asked));
        compare("wan2.1_vae.json", asked);
    }
}
