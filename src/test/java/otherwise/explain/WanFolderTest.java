package otherwise.explain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.diffusion.Sampler;
import otherwise.models.clip.ClipVision;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanTransformer;
import otherwise.models.wan.WanVae;
import otherwise.nn.Weights;
import otherwise.support.Emulated;
import otherwise.tensor.Random;
import otherwise.tensor.Tape;

/// A folder as one downloads it, with small networks in it.
class WanFolderTest {
    private static final WanPipeline.Options OPTIONS = new WanPipeline.Options(Sampler.UNIPC, 3, 3, 2, 5, 32 * 48);
    private static final Backend CPU = Backends.open("cpu", 0);

    @TempDir
    private Path folder;

    private TinyWan networks;

    @AfterAll
    static void close() {
        CPU.close();
    }

    @BeforeEach
    void write() throws IOException {
        networks = TinyWan.of(CPU);
        networks.write(folder);
    }

    private float[] generate(WanPipeline pipeline) {
        var image = Random.philox(5, 0).normal(CPU, 3, 20, 30);
        var context = Random.philox(5, 1).normal(CPU, 4, 8);
        var contextNull = Random.philox(5, 2).normal(CPU, 2, 8);
        var noise = Random.philox(5, 3).normal(CPU, pipeline.latent(image, OPTIONS).dims());
        return pipeline.generate(image, context, contextNull, noise, OPTIONS, WanPipeline.Listener.NONE).floats();
    }

    @Test
    void readAtNeedItMakesTheSameVideo() throws IOException {
        try (var model = WanFolder.open(folder);
                var _ = CPU.scope();
                var _ = Tape.off()) {
            assertEquals(TinyWan.DIT, model.config());
            var whole = new WanPipeline(null, ClipVision.load(Weights.of(networks.clip()), TinyModels.CLIP),
                    WanVae.load(Weights.of(networks.vae()), TinyModels.VAE, LatentScale.wan2_1()),
                    WanTransformer.load(Weights.of(networks.dit()), TinyWan.DIT));
            assertArrayEquals(generate(whole), generate(model.pipeline(CPU)));
        }
    }

    /// Also where weights are of another type than the device's, and take room on their way in.
    @ParameterizedTest
    @ValueSource(strings = {"cpu", "cuda-emulated:bf16"})
    void memoryIsAsForetold(String device) throws IOException {
        boolean emulated = !device.equals("cpu");
        assumeTrue(!emulated || Emulated.present(), "no g++");
        // Emulated kernels take their time.
        var options = emulated ? new WanPipeline.Options(Sampler.UNIPC, 1, 3, 1, 1, 16 * 24) : OPTIONS;
        try (var model = WanFolder.open(folder);
                var fresh = Backends.open(device, 0);
                var _ = fresh.scope();
                var _ = Tape.off()) {
            var foretold = model.memory(fresh, 20, 30, 4, !emulated, options);
            assertEquals(0, fresh.memory().footprint());
            var pipeline = model.pipeline(fresh);
            var image = Random.philox(5, 0).normal(fresh, 3, 20, 30);
            var context = Random.philox(5, 1).normal(fresh, 4, 8);
            var contextNull = emulated ? null : Random.philox(5, 1).normal(fresh, 4, 8);
            var noise = Random.philox(5, 3).normal(fresh, pipeline.latent(image, options).dims());
            pipeline.generate(image, context, contextNull, noise, options, WanPipeline.Listener.NONE);
            assertEquals(foretold.footprint(), fresh.memory().footprint(), 0.05 * foretold.footprint(), "footprint");
            assertEquals(foretold.peak(), fresh.memory().peak(), 0.05 * foretold.peak(), "peak");
        }
    }

    @Test
    void whatIsWrongIsNamed() throws IOException {
        TinyWan.write(folder.resolve("copy.safetensors"), networks.clip(), Map.of());
        assertTrue(failure().contains("CLIP's image encoder twice"), failure());
        Files.delete(folder.resolve("copy.safetensors"));

        networks.dit().remove("blocks.1.ffn.2.bias");
        networks.write(folder);
        assertTrue(failure().contains("has no tensor blocks.1.ffn.2.bias [128]"), failure());

        Files.delete(folder.resolve("transformer/model.safetensors"));
        assertTrue(failure().contains("no file in it holds a Wan transformer"), failure());
    }

    private String failure() {
        return assertThrows(IOException.class, () -> WanFolder.open(folder).close()).getMessage();
    }
}
