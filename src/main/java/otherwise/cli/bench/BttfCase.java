package otherwise.cli.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import otherwise.backend.Backends;
import otherwise.data.Preset;
import otherwise.data.ShapeMoving;
import otherwise.data.ShapeMoving.Split;
import otherwise.diffusion.FlowSchedule;
import otherwise.explain.BttfOptions;
import otherwise.explain.ModelFiles;
import otherwise.explain.Models;
import otherwise.explain.Question;
import otherwise.explain.SwinClassifier;
import otherwise.io.Safetensors;
import otherwise.models.clip.ClipVision;
import otherwise.models.wan.I2vConditioning;
import otherwise.tensor.Tape;

/// One whole iteration of the explanation at n = N, as numbers that any library can take: all weights, the noise, what the generator is
/// told of the first frame, the schedule. Ours opens the models instead, and needs the clip alone.
final class BttfCase {
    private static final long CLIP = 3;
    private static final int TARGET = 2;

    private BttfCase() {}

    static Cases.Case of(ModelFiles files) throws IOException {
        var inputs = new ArrayList<Array>();
        var numbers = new HashMap<String, Long>();
        int steps = BttfOptions.standard().schedule().steps();
        var scene = new ShapeMoving(Preset.mini());
        var original = scene.clip(1, scene.index(Split.TEST, CLIP)).video();
        try (var backend = Backends.open("cpu", 1);
                var _ = backend.scope();
                var _ = Tape.off()) {
            var generator = Models.generator(files, backend);
            var swin = (SwinClassifier) Models.classifier(files, backend);
            var clip = Question.tensor(original, backend);
            var first = clip.slice(2, 0, 1).reshape(1, 3, clip.dim(3), clip.dim(4));
            var seen = generator.clip().features(ClipVision.preprocess(first, generator.clip().config().imageSize()));
            var latent = generator.latent();
            inputs.add(Array.normal("z", 1, latent.dims()));
            inputs.add(new Array.Given("original", clip.floats(), clip.shape().dims()));
            inputs.add(new Array.Given("told", I2vConditioning.of(generator.vae(), first, original.frames()).floats(), 1, 4 + latent.dim(1),
                    latent.dim(2), latent.dim(3), latent.dim(4)));
            inputs.add(new Array.Given("image", seen.floats(), seen.shape().dims()));
            inputs.add(new Array.Given("text", generator.prompt().floats(), 1, generator.prompt().dim(0), generator.prompt().dim(1)));
            var schedule = FlowSchedule.euler(steps, generator.shift());
            inputs.add(sigmas(schedule, steps));
            inputs.add(times(schedule, steps, generator.transformer().config().freqDim()));
            inputs.add(gram(clip.floats(), original.frames(), original.height() * original.width()));
            inputs.add(new Array.Given("mean", new float[] {123.675f / 255, 116.28f / 255, 103.53f / 255}, 1, 3, 1, 1, 1));
            inputs.add(new Array.Given("deviation", new float[] {58.395f / 255, 57.12f / 255, 57.375f / 255}, 1, 3, 1, 1, 1));
            var scale = generator.vae().scale();
            inputs.add(channels("vae.latents_mean", scale.mean()));
            inputs.add(channels("vae.latents_inverse", scale.inverse()));
            var dit = generator.transformer().config();
            var config = swin.network().config();
            numbers.putAll(Map.of(
                    "steps", (long) steps, "blocks", (long) dit.numLayers(), "heads", (long) dit.numHeads(), "residuals",
                    1L + generator.vae().config().numResBlocks(), "frames", (long) swin.clip().frames(), "target", (long) TARGET, "lambda",
                    (long) BttfOptions.standard().lambda(), "window", (long) config.windowSize().get(0), "stages",
                    (long) config.depths().size()));
            for (int i = 0; i < config.depths().size(); i++) {
                numbers.put("depth" + i, (long) config.depths().get(i));
                numbers.put("heads" + i, (long) config.numHeads().get(i));
            }
        }
        weights(inputs, files.generator(), "dit.", "dit.");
        weights(inputs, files.vae(), "", "vae.");
        weights(inputs, files.classifier(), "", "swin.");
        return new Cases.Case(
                "bttf", "bttf", "an iteration at n = " + steps + " of the built-in explanation, gradient to the noise", 0, 0, inputs,
                numbers,
                0.8,
                1);
    }

    private static void weights(List<Array> inputs, Path path, String from, String to) throws IOException {
        try (var file = Safetensors.open(path)) {
            for (var name : file.names()) {
                if (!name.startsWith(from) || name.startsWith("latents_")) continue;
                inputs.add(new Array.Given(to + name.substring(from.length()), file.floats(name), file.entry(name).shape()));
            }
        }
    }

    private static Array sigmas(FlowSchedule schedule, int steps) {
        var values = new float[steps + 1];
        for (int i = 0; i <= steps; i++) values[i] = (float) schedule.sigma(i);
        return new Array.Given("sigmas", values, steps + 1);
    }

    /// cos and then sin of t·10000^(−i/half), as the transformer makes them.
    private static Array times(FlowSchedule schedule, int steps, int freqDim) {
        int half = freqDim / 2;
        var values = new float[steps * freqDim];
        for (int s = 0; s < steps; s++) {
            for (int i = 0; i < half; i++) {
                double angle = schedule.time(s) * Math.pow(10000, -i / (double) half);
                values[s * freqDim + i] = (float) Math.cos(angle);
                values[s * freqDim + half + i] = (float) Math.sin(angle);
            }
        }
        return new Array.Given("times", values, steps, freqDim);
    }

    /// The Gram matrices of the frames, `[T, 3, 3]`, colours in 0 … 1.
    private static Array gram(float[] video, int frames, int pixels) {
        var values = new float[frames * 9];
        for (int t = 0; t < frames; t++) {
            for (int a = 0; a < 3; a++) {
                for (int b = 0; b < 3; b++) {
                    double sum = 0;
                    for (int p = 0; p < pixels; p++) {
                        double x = 0.5 + 0.5 * video[(a * frames + t) * pixels + p];
                        sum += x * (0.5 + 0.5 * video[(b * frames + t) * pixels + p]);
                    }
                    values[t * 9 + a * 3 + b] = (float) (sum / (3 * pixels));
                }
            }
        }
        return new Array.Given("gram", values, frames, 3, 3);
    }

    private static Array channels(String name, List<Float> list) {
        var values = new float[list.size()];
        for (int i = 0; i < values.length; i++) values[i] = list.get(i);
        return new Array.Given(name, values, 1, values.length, 1, 1, 1);
    }
}
