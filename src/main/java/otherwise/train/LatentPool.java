package otherwise.train;

import java.util.Arrays;
import otherwise.backend.Backend;
import otherwise.data.Preset;
import otherwise.data.Scene;
import otherwise.data.ShapeMoving;
import otherwise.data.ShapeMoving.Split;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// Training clips as latents, encoded once, when first asked for.
///
/// A clip is held as what the generator must produce (its own latent) and what it is told (the latent of its first frame followed by
/// grey), `[16, F, h, w]` each. Which clip stands at a place depends on seed and place alone.
///
/// Every scene stands there once for each class, side by side: of clips that each begin differently a network learns by heart which way
/// they go, and what it generates leans the way of the training clip that it takes the first frame for.
final class LatentPool {
    private static final int WAYS = ShapeMoving.CLASSES.size();

    private final Backend backend;
    private final LatentCodec codec;
    private final Preset preset;
    private final long easy;
    private final long seed;
    private final Split split;
    private final float[][] clips;
    private final float[][] told;
    private long[] shape;

    /// @param easy how many places it takes to come from clips that all look alike to full variety
    LatentPool(Backend backend, LatentCodec codec, Preset preset, long easy, long seed, Split split, int capacity) {
        this.backend = backend;
        this.codec = codec;
        this.preset = preset;
        this.easy = easy;
        this.seed = seed;
        this.split = split;
        this.clips = new float[capacity][];
        this.told = new float[(capacity + WAYS - 1) / WAYS][];
    }

    int capacity() {
        return clips.length;
    }

    Scene scene(int place) {
        var data = new ShapeMoving(preset, place >= easy ? 1 : place / (double) easy);
        return data.scene(seed, data.index(split, place / WAYS)).toward(place % WAYS);
    }

    /// The latents of these clips, `[B, 16, F, h, w]`.
    Tensor clips(int[] places) {
        encode(places);
        return gathered(clips, places);
    }

    /// The latents of their first frames, each followed by grey, `[B, 16, F, h, w]`.
    Tensor told(int[] places) {
        encode(places);
        return gathered(told, Arrays.stream(places).map(p -> p / WAYS).toArray());
    }

    private Tensor gathered(float[][] from, int[] places) {
        int each = from[places[0]].length;
        var values = new float[places.length * each];
        for (int b = 0; b < places.length; b++) System.arraycopy(from[places[b]], 0, values, b * each, each);
        return Tensor.of(backend, values, places.length, shape[1], shape[2], shape[3], shape[4]);
    }

    private void encode(int[] places) {
        Arrays.stream(places).map(p -> p / WAYS).filter(s -> told[s] == null).distinct().forEach(this::encode);
    }

    /// The scene's clips, whichever way, and their common first frame.
    private void encode(int scene) {
        try (var _ = backend.scope();
                var _ = Tape.off()) {
            int from = scene * WAYS;
            int count = Math.min(WAYS, clips.length - from);
            var scenes = new Scene[count];
            for (int c = 0; c < count; c++) scenes[c] = scene(from + c);
            var videos = ClipBatch.of(scenes).on(backend);
            var first = videos.slice(0, 0, 1).slice(2, 0, 1).pad(2, 0, videos.dim(2) - 1);
            var z = codec.encode(Tensor.concat(0, videos, first));
            shape = z.shape().dims();
            float[] latents = z.floats();
            int each = latents.length / (count + 1);
            for (int c = 0; c < count; c++) clips[from + c] = Arrays.copyOfRange(latents, c * each, (c + 1) * each);
            told[scene] = Arrays.copyOfRange(latents, count * each, latents.length);
        }
    }
}
