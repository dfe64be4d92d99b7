package otherwise.train;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import otherwise.backend.Backend;
import otherwise.data.Preset;
import otherwise.data.Scene;
import otherwise.data.ShapeMoving;
import otherwise.data.ShapeMoving.Split;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// Teaches a video classifier which way the object goes.
///
/// From scratch on clips of full variety it stays at chance for long: motion is easy to see only once the object is. So the clips start
/// alike (a light disc on dark) and grow varied while the training goes on. Noise and a random clip offset keep it from leaning on single
/// pixels.
///
/// @param logits the network: `[B, 3, T, H, W]` in [-1, 1] → `[B, classes]`
/// @param judged the same network with the weights that will be shipped
public record ClassifierTraining(
        Backend backend,
        Preset preset,
        Function<Tensor, Tensor> logits,
        Function<Tensor, Tensor> judged,
        int frames,
        int stride,
        int batch,
        long steps,
        long seed)
        implements
            Objective {
    private static final double NOISE = 0.1;
    private static final int HELD_OUT = 512;

    @Override
    public Tensor loss(long step) {
        var random = Random.philox(seed, step);
        double progress = step / (double) steps;
        var data = new ShapeMoving(preset, Math.clamp((progress - 0.1) / 0.4, 0, 1));
        var scenes = new Scene[batch];
        var starts = new int[batch];
        var labels = new long[batch];
        int offsets = preset.frames() - (frames - 1) * stride;
        var u = random.uniform(batch);
        for (int b = 0; b < batch; b++) {
            scenes[b] = data.scene(seed, data.index(Split.TRAIN, step * batch + b));
            starts[b] = Math.min(offsets - 1, (int) (u[b] * offsets));
            labels[b] = scenes[b].label();
        }
        var clips = ClipBatch.of(scenes, starts, frames, stride);
        addNoise(clips.pixels(), random);
        return logits.apply(clips.on(backend)).crossEntropy(labels);
    }

    /// Normal noise, for each clip of a strength drawn between 0 and [#NOISE].
    private void addNoise(float[] pixels, Random random) {
        var strengths = random.uniform(batch);
        int each = pixels.length / batch;
        for (int b = 0; b < batch; b++) {
            var noise = random.normal(each);
            for (int i = 0; i < each; i++) pixels[b * each + i] += (float) NOISE * strengths[b] * noise[i];
        }
    }

    @Override
    public Map<String, Double> validate() {
        var figures = new LinkedHashMap<String, Double>();
        figures.put("accuracy", accuracy(HELD_OUT));
        return figures;
    }

    /// The share of `clips` held-out clips of full variety that are classified right, from frame 0 on.
    public double accuracy(int clips) {
        var data = new ShapeMoving(preset);
        int right = 0;
        for (int at = 0; at < clips; at += batch) {
            var scenes = new Scene[Math.min(batch, clips - at)];
            for (int b = 0; b < scenes.length; b++) scenes[b] = data.scene(seed, data.index(Split.TEST, at + b));
            try (var _ = backend.scope()) {
                var x = ClipBatch.of(scenes, new int[scenes.length], frames, stride).on(backend);
                var y = judged.apply(x);
                var values = y.floats();
                int classes = (int) y.dim(1);
                for (int b = 0; b < scenes.length; b++) if (best(values, b * classes, classes) == scenes[b].label()) right++;
            }
        }
        return right / (double) clips;
    }

    private static int best(float[] values, int from, int n) {
        int best = 0;
        for (int i = 1; i < n; i++) if (values[from + i] > values[from + best]) best = i;
        return best;
    }
}
