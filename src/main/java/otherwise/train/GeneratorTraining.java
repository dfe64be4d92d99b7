package otherwise.train;

import java.util.LinkedHashMap;
import java.util.Map;
import otherwise.backend.Backend;
import otherwise.data.Preset;
import otherwise.data.Scene;
import otherwise.data.ShapeMoving.Split;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// Teaches a transformer to turn noise into a clip that begins with a given frame: flow matching (Lipman et al. 2023, Liu et al. 2023).
///
///     x_σ = (1 − σ)·x + σ·ε        loss = ‖ v(x_σ, 1000·σ, first frame) − (ε − x) ‖²
///
/// Levels are drawn as the sampler uses them: uniform, then shifted towards the noise. Errors count more in two places:
/// - in the cells that the object may reach from where it starts: that region is the same for every direction, so it favours none;
/// - in the cells where the object is, the more the less noise there is. Weights that know the clip bias the mean over all clips that
///   `x_σ` may have come from; where little noise leaves but one, there is nothing to bias, and what remains is the object's outline.
public final class GeneratorTraining implements Objective {
    private static final float REACHED = 3;
    private static final float OBJECT = 8;
    private static final int HELD_OUT = 256;

    /// What the transformer and its image encoder make of noise and a first frame.
    public interface Network {
        /// @param x noisy latents `[B, 16, F, h, w]`
        /// @param t one time each, 0 … 1000
        /// @param told the latent of the first frame followed by grey, `[B, 16, F, h, w]`
        /// @param frames the first frames, `[B, 3, H, W]` in [-1, 1]
        Tensor velocity(Tensor x, double[] t, Tensor told, Tensor frames);
    }

    /// How to train.
    ///
    /// @param pool how many clips there are to learn from at the end
    /// @param growth how many of them join a step, after the first few: encoding them takes time
    /// @param easy how many of the first clips are simpler than the data set, less and less: how things move is learned sooner where all
    ///     look alike. They are left behind as others join.
    public record Settings(int batch, double shift, int pool, double growth, long easy, long seed) {}

    private final Backend backend;
    private final Network network;
    private final Network judged;
    private final Settings settings;
    private final LatentPool pool;
    private final LatentPool heldOut;

    /// @param judged the same network with the weights that will be shipped
    public GeneratorTraining(Backend backend, Preset preset, LatentCodec codec, Network network, Network judged, Settings settings) {
        this.backend = backend;
        this.network = network;
        this.judged = judged;
        this.settings = settings;
        this.pool = new LatentPool(backend, codec, preset, settings.easy, settings.seed, Split.TRAIN, settings.pool);
        this.heldOut = new LatentPool(backend, codec, preset, 0, settings.seed, Split.TEST, HELD_OUT);
    }

    @Override
    public Tensor loss(long step) {
        var random = Random.philox(settings.seed, step);
        long open = Math.min(pool.capacity(), 4L * settings.batch + (long) (settings.growth * step));
        // Once clips of full variety have joined, one easy clip is left behind for each of them.
        long left = Math.clamp(open - settings.easy, 0, settings.easy);
        var places = new int[settings.batch];
        var u = random.uniform(settings.batch);
        for (int b = 0; b < places.length; b++) places[b] = (int) Math.min(open - 1, left + (long) (u[b] * (open - left)));
        return loss(network, pool, places, random);
    }

    private Tensor loss(Network network, LatentPool from, int[] places, Random random) {
        int batch = places.length;
        var x = from.clips(places);
        var noise = random.normal(backend, x.shape().dims());
        var t = new double[batch];
        var sigma = new float[batch];
        var jitter = random.uniform(batch);
        for (int b = 0; b < batch; b++) {
            // One level out of each of B equal slices: as uniform as B independent draws, and steadier.
            double level = (b + jitter[b]) / batch;
            double shifted = settings.shift * level / (1 + (settings.shift - 1) * level);
            sigma[b] = (float) shifted;
            t[b] = 1000 * shifted;
        }
        var s = Tensor.of(backend, sigma, batch, 1, 1, 1, 1);
        var noisy = x.add(noise.sub(x).mul(s));
        var v = network.velocity(noisy, t, from.told(places), firstFrames(from, places));
        var weights = weights(from, places, sigma, x.shape().dims());
        return v.sub(noise.sub(x)).square().mul(weights).mean().div(weights.mean());
    }

    private Tensor firstFrames(LatentPool from, int[] places) {
        var scenes = new Scene[places.length];
        for (int b = 0; b < scenes.length; b++) scenes[b] = from.scene(places[b]);
        var frames = ClipBatch.of(scenes, new int[scenes.length], 1, 1).on(backend);
        return frames.reshape(frames.dim(0), 3, frames.dim(3), frames.dim(4));
    }

    /// 1, and [#REACHED] more in the latent cells that the object can reach whichever way it goes, and `(1 - σ)` · [#OBJECT] more in those
    /// that it covers; `[B, 1, F, h, w]`.
    private Tensor weights(LatentPool from, int[] places, float[] sigma, long[] dims) {
        int latents = Math.toIntExact(dims[2]);
        int h = Math.toIntExact(dims[3]);
        int w = Math.toIntExact(dims[4]);
        var weights = new float[places.length * latents * h * w];
        int at = 0;
        for (int b = 0; b < places.length; b++) {
            var scene = from.scene(places[b]);
            double cell = scene.height() / (double) h;
            double object = scene.shape().reach() * scene.size() + cell / 2;
            // The first latent stands for the first frame, each later one for an equal share of the others.
            double share = latents > 1 ? (scene.frames() - 1.0) / (latents - 1) : 0;
            for (int f = 0; f < latents; f++) {
                double frame = Math.max(0, (f - 0.5) * share + 0.5);
                for (int i = 0; i < h; i++) {
                    for (int j = 0; j < w; j++) {
                        double y = (i + 0.5) * cell - 0.5;
                        double x = (j + 0.5) * cell - 0.5;
                        double dy = Math.abs(y - scene.y0());
                        double dx = Math.abs(x - scene.x0());
                        float weight = 1;
                        if (Math.min(dx, dy) < object && Math.max(dx, dy) < object + scene.travel()) weight += REACHED;
                        if (Math.max(Math.abs(x - scene.x(frame)), Math.abs(y - scene.y(frame))) < object)
                            weight += OBJECT * (1 - sigma[b]);
                        weights[at++] = weight;
                    }
                }
            }
        }
        return Tensor.of(backend, weights, places.length, 1, latents, h, w);
    }

    /// The loss on held-out clips, always with the same noise.
    @Override
    public Map<String, Double> validate() {
        double sum = 0;
        int batches = 0;
        for (int at = 0; at + settings.batch <= HELD_OUT; at += settings.batch) {
            var places = new int[settings.batch];
            for (int b = 0; b < places.length; b++) places[b] = at + b;
            try (var _ = backend.scope()) {
                sum += loss(judged, heldOut, places, Random.philox(settings.seed, -1L - at)).item();
                batches++;
            }
        }
        var figures = new LinkedHashMap<String, Double>();
        figures.put("loss", sum / batches);
        return figures;
    }
}
