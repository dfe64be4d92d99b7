package otherwise.train;

import otherwise.backend.Backend;
import otherwise.data.Scene;
import otherwise.tensor.Tensor;

/// Rendered clips side by side on the host, as networks read them: `[B, 3, T, H, W]` in [-1, 1], row-major.
final class ClipBatch {
    private final int batch;
    private final int frames;
    private final int height;
    private final int width;
    private final float[] pixels;

    private ClipBatch(int batch, int frames, int height, int width) {
        this.batch = batch;
        this.frames = frames;
        this.height = height;
        this.width = width;
        this.pixels = new float[batch * 3 * frames * height * width];
    }

    /// Frames `starts[b] + k·stride`, k = 0 … frames-1, of each scene.
    static ClipBatch of(Scene[] scenes, int[] starts, int frames, int stride) {
        var first = scenes[0];
        var clips = new ClipBatch(scenes.length, frames, first.height(), first.width());
        int each = clips.pixels.length / clips.batch;
        for (int b = 0; b < scenes.length; b++) scenes[b].renderInto(clips.pixels, b * each, starts[b], frames, stride);
        return clips;
    }

    /// Whole clips.
    static ClipBatch of(Scene[] scenes) {
        return of(scenes, new int[scenes.length], scenes[0].frames(), 1);
    }

    /// A square of `size` pixels out of each clip, all frames alike.
    ClipBatch cropped(int[] tops, int[] lefts, int size) {
        var crops = new ClipBatch(batch, frames, size, size);
        int planes = 3 * frames;
        for (int p = 0; p < batch * planes; p++) {
            int b = p / planes;
            for (int y = 0; y < size; y++) {
                System.arraycopy(pixels, (p * height + tops[b] + y) * width + lefts[b], crops.pixels, (p * size + y) * size, size);
            }
        }
        return crops;
    }

    /// The elements themselves, to be changed before [#on].
    float[] pixels() {
        return pixels;
    }

    /// `[B, 3, T, H, W]`
    Tensor on(Backend backend) {
        return Tensor.of(backend, pixels, batch, 3, frames, height, width);
    }

    /// 1 + `extra` where a scene's object ever passes, 1 elsewhere, in the same squares as [#cropped]: `[B, 1, 1, size, size]`.
    static Tensor passage(Backend backend, Scene[] scenes, float extra, int[] tops, int[] lefts, int size) {
        var weights = new float[scenes.length * size * size];
        int at = 0;
        for (int b = 0; b < scenes.length; b++) {
            var mask = scenes[b].coverage();
            for (int y = 0; y < size; y++) {
                for (int x = 0; x < size; x++) {
                    weights[at++] = mask[(tops[b] + y) * scenes[b].width() + lefts[b] + x] > 0 ? 1 + extra : 1;
                }
            }
        }
        return Tensor.of(backend, weights, scenes.length, 1, 1, size, size);
    }
}
