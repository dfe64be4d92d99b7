package otherwise.models.wan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import otherwise.backend.DType;
import otherwise.backend.Shape;
import otherwise.backend.Storage;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// Do our full-size networks ask for exactly the tensors of the published checkpoints? No memory is taken for them.
class ManifestTest {

    /// As many elements as one likes, none of them there.
    private static final class Imagined extends Storage {
        Imagined(long size) {
            super(DType.F32, size);
        }

        @Override
        public Storage slice(long offset, long size) {
            return new Imagined(size);
        }

        @Override
        protected void recycle() {}
    }

    private static Map<String, Shape> askedFor(Consumer<Weights> load) {
        var asked = new TreeMap<String, Shape>();
        load.accept(Weights.of(new Weights.Source() {
            @Override
            public Tensor tensor(String name, Shape expected) {
                asked.put(name, expected);
                return Tensor.of(null, new Imagined(expected.size()), expected);
            }

            @Override
            public boolean has(String name) {
                throw new AssertionError("a full-size network is known without a look into the file: " + name);
            }
        }));
        return asked;
    }

    private static long elements(Map<String, Shape> tensors) {
        return tensors.values().stream().mapToLong(Shape::size).sum();
    }

    private static void compare(String manifest, Map<String, Shape> ours) throws IOException {
        var file = Path.of("../shared/goldens/manifests", manifest);
        assumeTrue(Files.exists(file), "the manifests are not here");
        var theirs = new TreeMap<String, Shape>();
        for (var entry : new JsonMapper().readTree(file.toFile()).required("entries")) {
            var dims = new long[entry.get(1).size()];
            for (int i = 0; i < dims.length; i++) dims[i] = entry.get(1).get(i).asLong();
            theirs.put(entry.get(0).asText(), Shape.of(dims));
        }
        assertEquals(theirs, ours);
    }

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
