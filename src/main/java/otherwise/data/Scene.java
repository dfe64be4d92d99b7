package otherwise.data;

import otherwise.io.Video;

/// Everything that a Shape-Moving clip shows, as numbers: the object, the background, where it starts, how far and which way it goes.
/// Rendering the same scene gives the same bytes, always.
///
/// The object's centroid at frame `t` is `(x0, y0) + t/(frames-1) · travel · direction`.
///
/// @param size half the width of a disc of this size, in pixels
/// @param x0 centroid at frame 0, in pixels; `y0` likewise
/// @param travel length of the whole way, in pixels
/// @param label which way: an index into [ShapeMoving#CLASSES]
public record Scene(
        int frames,
        int height,
        int width,
        double fps,
        Shape shape,
        Rgb color,
        double size,
        Background background,
        double x0,
        double y0,
        double travel,
        int label) {

    private static final int[] DX = {0, 0, -1, 1};
    private static final int[] DY = {-1, 1, 0, 0};
    private static final float[] UNIT = new float[256];

    static {
        for (int i = 0; i < 256; i++) UNIT[i] = i / 127.5f - 1;
    }

    /// The ideal counterfactual: the same object on the same background from the same place, just as far, the other way.
    ///
    /// @throws IllegalArgumentException if there is no such class
    public Scene toward(int otherClass) {
        ShapeMoving.requireClass(otherClass);
        return new Scene(frames, height, width, fps, shape, color, size, background, x0, y0, travel, otherClass);
    }

    /// The centroid's column at frame `t`.
    public double x(double t) {
        return x0 + DX[label] * travel * t / (frames - 1);
    }

    /// The centroid's row at frame `t`.
    public double y(double t) {
        return y0 + DY[label] * travel * t / (frames - 1);
    }

    /// The clip, `[T, H, W, 3]` bytes.
    public Video render() {
        byte[] rgb = new byte[frames * height * width * 3];
        renderInto(rgb, 0);
        return new Video(frames, height, width, fps, rgb);
    }

    /// Writes the clip as bytes `[T, H, W, 3]` into `dst` from `offset` on.
    public void renderInto(byte[] dst, int offset) {
        renderInto(dst, offset, 0, frames, 1);
    }

    /// Writes frames `from`, `from + stride`, … as bytes `[count, H, W, 3]`.
    private void renderInto(byte[] dst, int offset, int from, int count, int stride) {
        float[] still = new float[height * width * 3];
        background.paint(still, height, width);
        byte[] behind = new byte[still.length];
        for (int i = 0; i < still.length; i++) behind[i] = quantised(still[i]);

        float[] ink = {(float) (255 * color.r()), (float) (255 * color.g()), (float) (255 * color.b())};
        for (int k = 0; k < count; k++) {
            int start = offset + k * behind.length;
            System.arraycopy(behind, 0, dst, start, behind.length);
            cover(from + k * stride, (pixel, share) -> {
                for (int c = 0; c < 3; c++) {
                    float below = still[pixel * 3 + c];
                    dst[start + pixel * 3 + c] = quantised(below + (ink[c] - below) * share);
                }
            });
        }
    }

    /// Writes the clip as networks read it, `[3, T, H, W]` in `[-1, 1]`, into `dst` from `offset` on. The values are those of the 8-bit
    /// clip, so that nothing learns from what a file could not hold.
    public void renderInto(float[] dst, int offset) {
        renderInto(dst, offset, 0, frames, 1);
    }

    /// Writes frames `from`, `from + stride`, … alone, `[3, count, H, W]`: a training that looks at few frames need not draw them all.
    public void renderInto(float[] dst, int offset, int from, int count, int stride) {
        byte[] rgb = new byte[count * height * width * 3];
        renderInto(rgb, 0, from, count, stride);
        int plane = count * height * width;
        for (int i = 0, at = 0; i < plane; i++) {
            dst[offset + i] = UNIT[rgb[at++] & 255];
            dst[offset + plane + i] = UNIT[rgb[at++] & 255];
            dst[offset + 2 * plane + i] = UNIT[rgb[at++] & 255];
        }
    }

    /// The share of each pixel that the object covers at frame `t`: the ground truth mask, `[H, W]` in `[0, 1]`.
    public float[] coverage(int t) {
        float[] mask = new float[height * width];
        cover(t, (pixel, share) -> mask[pixel] = share);
        return mask;
    }

    /// The share of each pixel that the object covers in any frame, `[H, W]` in `[0, 1]`.
    public float[] coverage() {
        float[] mask = new float[height * width];
        for (int t = 0; t < frames; t++) cover(t, (pixel, share) -> mask[pixel] = Math.max(mask[pixel], share));
        return mask;
    }

    private interface Touch {
        void pixel(int pixel, float share);
    }

    /// Visits the pixels that the object touches at frame `t`: only its bounding box is looked at, which is what makes rendering fast.
    private void cover(int t, Touch touch) {
        double cx = x(t);
        double cy = y(t);
        double reach = shape.reach() * size + 1;
        int top = Math.max(0, (int) Math.floor(cy - reach));
        int bottom = Math.min(height - 1, (int) Math.ceil(cy + reach));
        int left = Math.max(0, (int) Math.floor(cx - reach));
        int right = Math.min(width - 1, (int) Math.ceil(cx + reach));
        for (int y = top; y <= bottom; y++) {
            for (int x = left; x <= right; x++) {
                double share = 0.5 - shape.distance(x - cx, y - cy, size);
                if (share > 0) touch.pixel(y * width + x, (float) Math.min(share, 1));
            }
        }
    }

    private static byte quantised(float value) {
        return (byte) Math.clamp((int) (value + 0.5f), 0, 255);
    }
}
