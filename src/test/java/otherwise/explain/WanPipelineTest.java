package otherwise.explain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.backend.Shape;
import otherwise.diffusion.Sampler;
import otherwise.models.clip.ClipVision;
import otherwise.models.umt5.Umt5Config;
import otherwise.models.umt5.Umt5Encoder;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanTransformer;
import otherwise.models.wan.WanVae;
import otherwise.nn.Weights;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// The driver around random networks; that it is the official one, the golden file `wan_i2v_pipeline` says.
class WanPipelineTest {
    private static final Backend CPU = Backends.open("cpu", 1);

    private final WanPipeline pipeline = new WanPipeline(encoder(8), clip(), vae(), transformer());
    private final Random random = Random.philox(2, 0);
    private final Tensor image = random.normal(CPU, 3, 40, 56).tanh();

    @AfterAll
    static void close() {
        CPU.close();
    }

    private static Umt5Encoder encoder(int dim) {
        var config = new Umt5Config(20, dim, 8, 16, 2, 1, 32, false);
        return Umt5Encoder.load(Weights.of(TinyModels.weights(CPU, 1, w -> Umt5Encoder.load(w, config))), config);
    }

    private static ClipVision clip() {
        return ClipVision.load(Weights.of(TinyModels.weights(CPU, 2, w -> ClipVision.load(w, TinyModels.CLIP))), TinyModels.CLIP);
    }

    private static WanVae vae() {
        var scale = LatentScale.wan2_1();
        return WanVae.load(Weights.of(TinyModels.weights(CPU, 3, w -> WanVae.load(w, TinyModels.VAE, scale))), TinyModels.VAE, scale);
    }

    private static WanTransformer transformer() {
        return WanTransformer.load(Weights.of(TinyModels.weights(CPU, 4, w -> WanTransformer.load(w, TinyModels.DIT))), TinyModels.DIT);
    }

    private static WanPipeline.Options options(double guidance, Sampler sampler) {
        return new WanPipeline.Options(sampler, 2, 3, guidance, 5, 1024);
    }

    @Test
    void everySamplerMakesAVideo() {
        var context = pipeline.context(new long[] {4, 5, 1});
        for (var sampler : Sampler.values()) {
            var options = options(2, sampler);
            assertEquals(Shape.of(16, 2, 2, 4), pipeline.latent(image, options));
            var noise = random.normal(CPU, 16, 2, 2, 4);
            var seen = new ArrayList<String>();
            var video = pipeline.generate(image, context, pipeline.context(new long[] {1}), noise, options, (name, x) -> seen.add(name));
            assertEquals(Shape.of(3, 5, 16, 32), video.shape());
            for (float v : video.floats()) assertTrue(v >= -1 && v <= 1, sampler + ": " + v);
            assertEquals(
                    List.of(
                            "noise", "clip_pixel_values", "clip_fea", "vae_encode_input", "y", "context", "context_null", "seq_len",
                            "step0/latent_in", "step0/timestep", "step0/cond", "step0/uncond", "step1/latent_in", "step1/timestep",
                            "step1/cond", "step1/uncond", "final_latent"),
                    seen);
        }
    }

    /// Guided by 1, or away from the same text, is not guided.
    @Test
    void guidance() {
        var noise = random.normal(CPU, 16, 2, 2, 4);
        var context = pipeline.context(new long[] {4, 5, 1});
        var plain = pipeline.generate(image, context, null, noise, options(9, Sampler.EULER), WanPipeline.Listener.NONE).floats();
        var same = pipeline.generate(image, context, context, noise, options(9, Sampler.EULER), WanPipeline.Listener.NONE).floats();
        assertArrayEquals(plain, same, 1e-5f);
        var other = pipeline.context(new long[] {7, 1});
        var one = pipeline.generate(image, context, other, noise, options(1, Sampler.EULER), WanPipeline.Listener.NONE).floats();
        assertArrayEquals(plain, one, 1e-4f);
    }

    /// Only the video outlives the call.
    @Test
    void nothingIsLeftBehind() {
        var noise = random.normal(CPU, 16, 2, 2, 4);
        var context = pipeline.context(new long[] {4, 1});
        long before = CPU.memory().used();
        try (var _ = CPU.scope()) {
            var video = pipeline.generate(image, context, context, noise, options(2, Sampler.UNIPC), WanPipeline.Listener.NONE);
            assertTrue(CPU.memory().used() - before <= 2 * 4 * video.size() + 4096, CPU.memory() + ", before " + before);
        }
    }

    @Test
    void saysWhatDoesNotFit() {
        says("the text encoder makes 10", () -> new WanPipeline(encoder(10), clip(), vae(), transformer()));
        says("there is no text encoder", () -> new WanPipeline(null, clip(), vae(), transformer()).context(new long[] {1}));
        says("not 6", () -> new WanPipeline.Options(Sampler.UNIPC, 2, 3, 1, 6, 1024));
        says("makes no video of 100 pixels", () -> pipeline.latent(image, new WanPipeline.Options(Sampler.UNIPC, 2, 3, 1, 5, 100)));
        var wrong = Tensor.zeros(CPU, 16, 2, 2, 2);
        var context = pipeline.context(new long[] {1});
        says("the noise is", () -> pipeline.generate(image, context, null, wrong, options(1, Sampler.EULER), WanPipeline.Listener.NONE));
    }

    private static void says(String what, org.junit.jupiter.api.function.Executable wrong) {
        var message = assertThrows(IllegalArgumentException.class, wrong).getMessage();
        assertTrue(message.contains(what), message);
    }
}
