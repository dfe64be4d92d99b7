package otherwise.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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
final class LatentPool {
    private static final int AT_ONCE = 8;

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
        this.told = new float[capacity][];
    }

    int capacity() {
        return clips.length;
    }

    Scene scene(int place) {
        var data = new ShapeMoving(preset, place >= easy ? 1 : place / (double) easy);
        return data.scene(seed, data.index(split, place));
    }

    /// The latents of these clips, `[B, 16, F, h, w]`.
    Tensor clips(int[] places) {
        encode(places);
        return gathered(clips, places);
    }

    /// The latents of their first frames, each followed by grey, `[B, 16, F, h, w]`.
    Tensor told(int[] places) {
        encode(places);
        return gathered(told, places);
    }

    private Tensor gathered(float[][] from, int[] places) {
        int each = from[places[0]].length;
        var values = new float[places.length * each];
        for (int b = 0; b < places.length; b++) System.arraycopy(from[places[b]], 0, values, b * each, each);
        return Tensor.of(backend, values, places.length, shape[1], shape[2], shape[3], shape[4]);
    }

    private void encode(int[] places) {
        var missing = Arrays.stream(places).filter(p -> clips[p] == null).distinct().boxed().toList();
        for (int at = 0; at < missing.size(); at += AT_ONCE) encode(missing.subList(at, Math.min(missing.size(), at + AT_ONCE)));
    }

    private void encode(List<Integer> places) {
        try (var _ = backend.scope();
                var _ = Tape.off()) {
            var scenes = places.stream().map(this::scene).toArray(Scene[]::new);
            var video = ClipBatch.of(scenes).on(backend);
            var first = video.slice(2, 0, 1).pad(2, 0, video.dim(2) - 1);
            var latents = new ArrayList<float[]>();
            for (var x : List.of(video, first)) {
                var z = codec.encode(x);
                shape = z.shape().dims();
                latents.add(z.floats());
            }
            int each = latents.getFirst().length / scenes.length;
            for (int b = 0; b < scenes.length; b++) {
                clips[places.get(b)] = Arrays.copyOfRange(latents.get(0), b * each, (b + 1) * each);
                told[places.get(b)] = Arrays.copyOfRange(latents.get(1), b * each, (b + 1) * each);
            }
        }
    }
}
