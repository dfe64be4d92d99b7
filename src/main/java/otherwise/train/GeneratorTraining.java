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
/// Levels are drawn as the sampler uses them: uniform, then shifted towards the noise. Errors in the cells that the object may reach from
/// where it starts count more; that region is the same for every direction, so it favours none.
public final class GeneratorTraining implements Objective {
    private static final float EXTRA = 3;
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
    /// @param easy how many of the first clips are simpler than the data set: how things move is learned sooner where all look alike
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
        var places = new int[settings.batch];
        var u = random.uniform(settings.batch);
        for (int b = 0; b < places.length; b++) places[b] = (int) Math.min(open - 1, (long) (u[b] * open));
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
        var weights = reach(from, places, x.dim(3), x.dim(4));
        return v.sub(noise.sub(x)).square().mul(weights).mean().div(weights.mean());
    }

    private Tensor firstFrames(LatentPool from, int[] places) {
        var scenes = new Scene[places.length];
        for (int b = 0; b < scenes.length; b++) scenes[b] = from.scene(places[b]);
        var frames = ClipBatch.of(scenes, new int[scenes.length], 1, 1).on(backend);
        return frames.reshape(frames.dim(0), 3, frames.dim(3), frames.dim(4));
    }

    /// 1 + [#EXTRA] in the latent cells that the object can reach whichever way it goes, `[B, 1, 1, h, w]`.
    private Tensor reach(LatentPool from, int[] places, long h, long w) {
        var weights = new float[Math.toIntExact(places.length * h * w)];
        int at = 0;
        for (int place : places) {
            var scene = from.scene(place);
            double cell = scene.height() / (double) h;
            double object = scene.shape().reach() * scene.size() + cell / 2;
            for (int i = 0; i < h; i++) {
                for (int j = 0; j < w; j++) {
                    double dy = Math.abs((i + 0.5) * cell - 0.5 - scene.y0());
                    double dx = Math.abs((j + 0.5) * cell - 0.5 - scene.x0());
                    boolean reached = Math.min(dx, dy) < object && Math.max(dx, dy) < object + scene.travel();
                    weights[at++] = reached ? 1 + EXTRA : 1;
                }
            }
        }
        return Tensor.of(backend, weights, places.length, 1, 1, h, w);
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
