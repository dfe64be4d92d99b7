package otherwise.cli.verify;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import otherwise.diffusion.Sampler;
import otherwise.explain.WanPipeline;
import otherwise.models.clip.ClipVision;
import otherwise.models.umt5.Umt5Config;
import otherwise.models.umt5.Umt5Encoder;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanTransformer;
import otherwise.models.wan.WanVae;
import otherwise.models.wan.WanVaeConfig;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// The whole image-to-video driver, from image, prompt and seed to the video, with everything that it passes on the way.
final class WanI2vPipelineCheck implements Check {

    @Override
    public List<String> kinds() {
        return List.of("wan_i2v_pipeline");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        var config = golden.config();
        var pipeline = new WanPipeline(
                Umt5Encoder.load(golden.weights("t5"), Umt5Config.of(config.path("t5"))),
                ClipVision.load(golden.weights("clip"), Configs.clip(config.path("clip"))),
                WanVae.load(golden.weights("vae"), WanVaeConfig.of(config.path("vae")), LatentScale.wan2_1()),
                WanTransformer.load(golden.weights("dit"), WanDitCheck.config(golden, config.path("dit"), "weights/dit/")));
        for (var name : golden.cases()) {
            try (var _ = golden.backend().scope()) {
                generate(golden, comparison, pipeline, name);
            }
        }
    }

    private static void generate(Golden golden, Comparison comparison, WanPipeline pipeline, String name) {
        var c = golden.caseOf(name);
        var options = new WanPipeline.Options(
                Sampler.named(c.required("solver").asText()),
                c.required("steps").asInt(),
                c.required("shift").asDouble(),
                c.required("guide").asDouble(),
                c.required("frame_num").asInt(),
                c.required("max_area").asLong());
        var image = image(golden, name);
        var mid = "mid/" + name + "/";
        var noise = noise(golden, comparison, c, mid + "noise", pipeline.latent(image, options).dims());
        var context = pipeline.context(prompt(golden, c, "prompt", "<prompt>"));
        var contextNull = pipeline.context(prompt(golden, c, "n_prompt", "<neg>"));
        var video = pipeline.generate(
                image, context, contextNull, noise, options, (what, x) -> comparison.compare(mid + what, x.doubles(), x.shape().dims()));
        comparison.compare("out/" + name + "/video", video);
    }

    /// Ours from the case's seed; without one, the stored noise.
    private static Tensor noise(Golden golden, Comparison comparison, JsonNode c, String stored, long... dims) {
        if (c.path("seed").asLong(-1) >= 0) return Random.torch(c.path("seed").asLong()).normal(golden.backend(), dims);
        comparison.notCovered("noise without a seed", name -> name.equals(stored));
        return golden.tensor(stored);
    }

    /// `image_rgb`, of the case or of the file: bytes `[H, W, 3]` → −1 … 1, `[3, H, W]`
    private static Tensor image(Golden golden, String name) {
        var own = "in/" + name + "/image_rgb";
        var stored = golden.has(own) ? own : "in/image_rgb";
        var bytes = golden.values(stored);
        var pixels = new float[bytes.length];
        for (int i = 0; i < pixels.length; i++) pixels[i] = ((float) bytes[i] / 255 - 0.5f) / 0.5f;
        return Tensor.of(golden.backend(), pixels, golden.shape(stored).dims()).permute(2, 0, 1);
    }

    /// The ids of the case's prompt, or of the one that all cases share.
    private static long[] prompt(Golden golden, JsonNode c, String field, String shared) {
        var prompts = golden.json("prompts");
        var own = c.path(field).asText("");
        var ids = prompts.path(own.isEmpty() ? shared : own);
        if (ids.isEmpty())
            throw new IllegalArgumentException(golden.path() + ": its metadata prompts has no " + (own.isEmpty() ? shared : own));
        var values = new long[ids.size()];
        for (int i = 0; i < values.length; i++) values[i] = ids.get(i).asLong();
        return values;
    }
}
