package otherwise.explain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
import otherwise.io.SafetensorsWriter;
import otherwise.models.clip.ClipVision;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanConfig;
import otherwise.models.wan.WanTransformer;
import otherwise.models.wan.WanVae;
import otherwise.nn.Weights;
import otherwise.support.Emulated;
import otherwise.tensor.Random;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// A folder as one downloads it, with small networks in it.
class WanFolderTest {
    /// One head of 128 channels, as the shapes alone must tell.
    private static final WanConfig DIT =
            new WanConfig("i2v", List.of(1, 2, 2), 512, 36, 128, 64, 16, 8, 16, 1, 2, true, true, 1e-6, TinyModels.CLIP.dim());
    private static final WanPipeline.Options OPTIONS = new WanPipeline.Options(Sampler.UNIPC, 3, 3, 2, 5, 32 * 48);
    private static final Backend CPU = Backends.open("cpu", 0);

    @TempDir
    private Path folder;

    private Map<String, Tensor> dit;
    private Map<String, Tensor> vae;
    private Map<String, Tensor> clip;

    @AfterAll
    static void close() {
        CPU.close();
    }

    @BeforeEach
    void write() throws IOException {
        dit = TinyModels.weights(CPU, 1, w -> WanTransformer.load(w, DIT));
        vae = TinyModels.weights(CPU, 2, w -> WanVae.load(w, TinyModels.VAE, LatentScale.wan2_1()));
        clip = TinyModels.weights(CPU, 3, w -> ClipVision.load(w, TinyModels.CLIP));
        write("transformer/model.safetensors", dit, Map.of());
        write("vae.safetensors", vae, Map.of("config", ModelFiles.JSON.writeValueAsString(TinyModels.VAE)));
        write("image_encoder/model.safetensors", clip, Map.of("config", ModelFiles.JSON.writeValueAsString(TinyModels.CLIP)));
    }

    private void write(String name, Map<String, Tensor> tensors, Map<String, String> metadata) throws IOException {
        var writer = new SafetensorsWriter();
        metadata.forEach(writer::metadata);
        tensors.forEach((tensor, x) -> writer.add(tensor, "F32", x.shape().dims(), x.floats()));
        Files.createDirectories(folder.resolve(name).getParent());
        writer.write(folder.resolve(name));
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
            assertEquals(DIT, model.config());
            var whole = new WanPipeline(null, ClipVision.load(Weights.of(clip), TinyModels.CLIP),
                    WanVae.load(Weights.of(vae), TinyModels.VAE, LatentScale.wan2_1()), WanTransformer.load(Weights.of(dit), DIT));
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
        write("copy.safetensors", clip, Map.of());
        assertTrue(failure().contains("CLIP's image encoder twice"), failure());
        Files.delete(folder.resolve("copy.safetensors"));

        dit.remove("blocks.1.ffn.2.bias");
        write("transformer/model.safetensors", dit, Map.of());
        assertTrue(failure().contains("has no tensor blocks.1.ffn.2.bias [128]"), failure());

        Files.delete(folder.resolve("transformer/model.safetensors"));
        assertTrue(failure().contains("no file in it holds a Wan transformer"), failure());
    }

    private String failure() {
        return assertThrows(IOException.class, () -> WanFolder.open(folder).close()).getMessage();
    }
}
