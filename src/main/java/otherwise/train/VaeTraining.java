package otherwise.train;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import otherwise.backend.Backend;
import otherwise.data.Preset;
import otherwise.data.Scene;
import otherwise.data.ShapeMoving;
import otherwise.data.ShapeMoving.Split;
import otherwise.io.Video;
import otherwise.metrics.Frames;
import otherwise.metrics.Ssim;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// Teaches a causal video autoencoder to give back what it sees.
///
/// Squares of single frames come first, then of short and of whole clips, at last clips in full: what an image needs is learned far faster
/// on many small images. The loss is L1 plus squared error, with more weight where the object passes; once pictures are there, one minus
/// their structural similarity is added, since smooth surfaces show faint noise that squared errors hardly count. A little noise on the latent and a small penalty on its size keep
/// neighbouring latents meaning neighbouring pictures, which is what a generator needs of them.
///
/// @param codec the network under training; its latents are raw, not normalised
/// @param judged the same network with the weights that will be shipped
/// @param fresh whether the network starts from nothing; one that goes on from earlier weights skips the first lessons
public record VaeTraining(
        Backend backend, Preset preset, LatentCodec codec, LatentCodec judged, int batch, long steps, long seed, boolean fresh)
        implements
            Objective {
    private static final double NOISE = 0.1;
    private static final double PENALTY = 1e-3;
    private static final double STRUCTURE = 1;
    private static final float EXTRA = 2;
    private static final int HELD_OUT = 32;

    /// What a step looks at: `clips` squares of `size` pixels and `frames` frames. Many at a time: a step that sees few scenes sees few
    /// colours, and the network forgets the others.
    private record Lesson(int clips, int frames, int size) {}

    private Lesson lesson(double progress) {
        int half = preset.height() / 2;
        if (fresh && progress < 0.35) return new Lesson(64 * batch, 1, half);
        if (fresh && progress < 0.5) return new Lesson(16 * batch, 5, half);
        if (progress < (fresh ? 0.7 : 0.3)) return new Lesson(8 * batch, 9, half);
        if (progress < 0.85) return new Lesson(6 * batch, preset.frames(), half);
        return new Lesson(2 * batch, preset.frames(), preset.height());
    }

    @Override
    public Tensor loss(long step) {
        var random = Random.philox(seed, step);
        var lesson = lesson(step / (double) steps);
        int clips = lesson.clips;
        var data = new ShapeMoving(preset);
        var scenes = new Scene[clips];
        var starts = new int[clips];
        var tops = new int[clips];
        var lefts = new int[clips];
        var u = random.uniform(3 * clips);
        for (int b = 0; b < clips; b++) {
            scenes[b] = data.scene(seed, data.index(Split.TRAIN, step * 64L * batch + b));
            starts[b] = (int) (u[b] * (preset.frames() - lesson.frames + 1));
            tops[b] = (int) (u[clips + b] * (preset.height() - lesson.size + 1));
            lefts[b] = (int) (u[2 * clips + b] * (preset.width() - lesson.size + 1));
        }
        var x = ClipBatch.of(scenes, starts, lesson.frames, 1).cropped(tops, lefts, lesson.size).on(backend);
        var z = codec.encode(x);
        var noise = random.normal(backend, z.shape().dims()).times(NOISE);
        var error = codec.decode(z.add(noise)).sub(x);
        var weights = ClipBatch.passage(backend, scenes, EXTRA, tops, lefts, lesson.size);
        var loss = error.abs().add(error.square()).mul(weights).mean().div(weights.mean());
        if (!fresh || step >= 0.7 * steps) {
            var ssim = SsimLoss.of(backend, lesson.size, lesson.size);
            loss = loss.add(ssim.between(x.add(error), x).times(STRUCTURE));
        }
        return loss.add(z.square().mean().times(PENALTY));
    }

    /// Every lesson has its own sizes.
    @Override
    public List<Long> lastOfEachKind(long steps) {
        var last = new ArrayList<Long>();
        for (long s = 0; s < steps; s++) {
            if (s == steps - 1 || !lesson(s / (double) steps).equals(lesson((s + 1) / (double) steps))) last.add(s);
        }
        return last;
    }

    @Override
    public Map<String, Double> validate() {
        return judge(HELD_OUT);
    }

    /// How well held-out clips come back after clamping to the visible range, means over `clips` of them: `psnr` in dB, `ssim`, and
    /// `ssim_first` of the first frame.
    public Map<String, Double> judge(int clips) {
        var data = new ShapeMoving(preset);
        double psnr = 0;
        double ssim = 0;
        double first = 0;
        for (int i = 0; i < clips; i++) {
            try (var _ = backend.scope()) {
                var clip = ClipBatch.of(new Scene[] {data.scene(seed, data.index(Split.TEST, i))});
                var y = judged.decode(judged.encode(clip.on(backend))).floats();
                double squares = 0;
                for (int k = 0; k < y.length; k++) {
                    double d = (Math.clamp(y[k], -1f, 1f) - clip.pixels()[k]) / 2;
                    squares += d * d;
                }
                psnr += 10 * Math.log10(y.length / squares) / clips;
                var similar = Ssim.rgb(frames(clip.pixels()), frames(y));
                for (double s : similar) ssim += s / similar.length / clips;
                first += similar[0] / clips;
            }
        }
        var figures = new LinkedHashMap<String, Double>();
        figures.put("psnr", psnr);
        figures.put("ssim", ssim);
        figures.put("ssim_first", first);
        return figures;
    }

    private Frames frames(float[] pixels) {
        return Frames.of(Video.fromChannelsFirst(pixels, preset.frames(), preset.height(), preset.width(), preset.fps()));
    }

    /// Mean and standard deviation of every latent channel over `clips` training clips, `[2][C]`.
    public double[][] statistics(int clips) {
        var data = new ShapeMoving(preset);
        double[] sum = null;
        double[] squares = null;
        long count = 0;
        for (int i = 0; i < clips; i++) {
            try (var _ = backend.scope()) {
                var z = judged.encode(ClipBatch.of(new Scene[] {data.scene(seed, data.index(Split.TRAIN, i))}).on(backend));
                int channels = (int) z.dim(1);
                if (sum == null) {
                    sum = new double[channels];
                    squares = new double[channels];
                }
                var values = z.floats();
                int each = values.length / channels;
                for (int k = 0; k < values.length; k++) {
                    sum[k / each] += values[k];
                    squares[k / each] += values[k] * (double) values[k];
                }
                count += each;
            }
        }
        var std = new double[sum.length];
        for (int c = 0; c < sum.length; c++) {
            sum[c] /= count;
            std[c] = Math.sqrt(squares[c] / count - sum[c] * sum[c]);
        }
        return new double[][] {sum, std};
    }
}
