package otherwise.io;

import java.awt.image.BufferedImage;
import java.math.BigInteger;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.IntStream;

/// A video in memory: `rgb` holds `[T, H, W, 3]` unsigned bytes, T = `frames`, shown at `fps` frames a second.
///
/// The array is shared, not copied: whoever makes a video leaves it alone afterwards.
public record Video(int frames, int height, int width, double fps, byte[] rgb) {

    /// The longest array that every Java machine can make.
    private static final long MOST_BYTES = Integer.MAX_VALUE - 8L;

    /// A video made fit for a network, and a sentence on what was done to it.
    public record Prepared(Video video, String note) {}

    /// @throws IllegalArgumentException if a size or the rate is not positive, or `rgb` has not `frames · height · width · 3` bytes
    public Video {
        if (frames < 1 || height < 1 || width < 1 || !(fps > 0) || Double.isInfinite(fps)) {
            throw new IllegalArgumentException("no video has " + frames + " frames of " + width + "x" + height + " at " + fps + " fps");
        }
        if (rgb.length != bytes(frames, height, width)) {
            throw new IllegalArgumentException(
                    frames + " frames of " + width + "x" + height + " take " + bytes(frames, height, width) + " bytes, not " + rgb.length);
        }
    }

    /// How many bytes such a video takes.
    ///
    /// @throws IllegalArgumentException if they are too many for an array
    static int bytes(int frames, int height, int width) {
        var bytes = BigInteger.valueOf(3L * frames).multiply(BigInteger.valueOf((long) height * width));
        if (bytes.bitLength() > 62 || bytes.longValue() > MOST_BYTES) {
            throw new IllegalArgumentException(
                    frames + " frames of " + width + "x" + height + " are over 2 GiB, more than a video in memory may have");
        }
        return bytes.intValue();
    }

    /// How long it plays, in seconds.
    public double seconds() {
        return frames / fps;
    }

    /// Brings the video to `frames` frames of `width`x`height` at `fps`: first in time (see [#resampled]), then in space (see [#resized]).
    ///
    /// @throws IllegalArgumentException if this video has fewer than 2 frames, or what is asked for is no video
    public Prepared prepare(int frames, int height, int width, double fps) {
        var timed = resampled(frames, fps);
        if (height == this.height && width == this.width) {
            return timed;
        }
        var whole = Resampling.covering(this.height, this.width, height, width);
        var cropped = whole.height() == height && whole.width() == width ? "" : " and cropped to " + width + "x" + height;
        var space = "; scaled from " + this.width + "x" + this.height + " to " + whole.width() + "x" + whole.height() + cropped;
        return new Prepared(timed.video().resized(height, width), timed.note() + space);
    }

    /// Picks `frames` frames by time: frame k of the result is the one nearest to k / `fps` seconds into this video, from its beginning.
    ///
    /// A video too short for that is sampled evenly over its whole length instead, so that its motion plays slower; the note says so.
    ///
    /// @throws IllegalArgumentException if this video has fewer than 2 frames, or what is asked for is no video
    public Prepared resampled(int frames, double fps) {
        if (this.frames < 2) {
            throw new IllegalArgumentException("a video of at least 2 frames is needed, this one has " + this.frames);
        }
        if (frames < 1 || !(fps > 0) || Double.isInfinite(fps)) {
            throw new IllegalArgumentException("no video has " + frames + " frames at " + fps + " fps");
        }
        var from = String.format(Locale.ROOT, "%d frames at %s fps (%.2f s)", this.frames, rate(this.fps), seconds());
        var to = String.format(Locale.ROOT, "%d frames at %s fps", frames, rate(fps));
        if (frames == this.frames && Math.abs(fps / this.fps - 1) < 1e-6) {
            return new Prepared(this, from + ", all taken as they are");
        }
        if (index(frames - 1, fps) < this.frames) {
            var picked = IntStream.range(0, frames).map(k -> index(k, fps)).toArray();
            var taken = String.format(Locale.ROOT, "%s; the first %.2f s taken as %s", from, frames / fps, to);
            return new Prepared(picked(picked, fps), taken);
        }
        // The last frame of the result is the last of the source; one of a single frame is the first.
        double stride = frames == 1 ? 0 : (this.frames - 1.0) / (frames - 1);
        var picked = IntStream.range(0, frames).map(k -> (int) Math.round(k * stride)).toArray();
        double slower = (frames - 1) / fps / ((this.frames - 1) / this.fps);
        var spread = String.format(
                Locale.ROOT,
                "%s is shorter than the %.2f s of %s; sampled evenly over its whole length, so motion plays %.2f times slower",
                from,
                frames / fps,
                to,
                slower);
        return new Prepared(picked(picked, fps), spread);
    }

    /// The frame nearest to k / fps seconds; of two as near the later one, and no rounding error of a product decides between them.
    private int index(int k, double fps) {
        return (int) Math.min(Integer.MAX_VALUE, Math.floor(k * (this.fps / fps) + 0.5 + 1e-6));
    }

    /// The first frame alone.
    public Video first() {
        return picked(new int[] {0}, fps);
    }

    private Video picked(int[] indices, double fps) {
        int frame = height * width * 3;
        var out = new byte[bytes(indices.length, height, width)];
        for (int k = 0; k < indices.length; k++) {
            System.arraycopy(rgb, indices[k] * frame, out, k * frame, frame);
        }
        return new Video(indices.length, height, width, fps, out);
    }

    /// Scales the video until it just covers `width`x`height`, and cuts out the middle. Triangle filter, widened when shrinking, so that
    /// fine patterns become grey instead of false patterns (`antialias=True` elsewhere).
    ///
    /// @throws IllegalArgumentException if a size is not positive
    public Video resized(int height, int width) {
        if (height == this.height && width == this.width) {
            return this;
        }
        return new Video(frames, height, width, fps, Resampling.coverAndCrop(this, height, width));
    }

    /// Every pixel as a square of `factor`x`factor` pixels: small videos become large enough to be watched, and stay what they are.
    ///
    /// @throws IllegalArgumentException if `factor` is not positive
    public Video upscaled(int factor) {
        if (factor < 1) {
            throw new IllegalArgumentException("cannot enlarge " + factor + " times");
        }
        int rows = Math.multiplyExact(height, factor);
        int columns = Math.multiplyExact(width, factor);
        var out = new byte[bytes(frames, rows, columns)];
        for (int t = 0, to = 0; t < frames; t++) {
            for (int y = 0; y < rows; y++) {
                int row = (t * height + y / factor) * width;
                for (int x = 0; x < columns; x++, to += 3) {
                    System.arraycopy(rgb, (row + x / factor) * 3, out, to, 3);
                }
            }
        }
        return new Video(frames, rows, columns, fps, out);
    }

    /// The video as networks want it: `[3, T, H, W]`, 0 … 255 mapped to -1 … 1.
    public float[] toChannelsFirst() {
        int pixels = frames * height * width;
        var out = new float[rgb.length];
        for (int i = 0; i < pixels; i++) {
            for (int c = 0; c < 3; c++) {
                out[c * pixels + i] = (rgb[i * 3 + c] & 0xFF) / 127.5f - 1;
            }
        }
        return out;
    }

    /// The video in `data` `[3, T, H, W]`, -1 … 1 mapped to 0 … 255, clamped and rounded to the nearest. What is not a number becomes middle grey.
    ///
    /// @throws IllegalArgumentException if `data` has not `3 · frames · height · width` values
    public static Video fromChannelsFirst(float[] data, int frames, int height, int width, double fps) {
        int pixels = bytes(frames, height, width) / 3;
        if (data.length != 3L * pixels) {
            throw new IllegalArgumentException(
                    frames + " frames of " + width + "x" + height + " have " + 3L * pixels + " values, not " + data.length);
        }
        var rgb = new byte[data.length];
        for (int i = 0; i < pixels; i++) {
            for (int c = 0; c < 3; c++) {
                float value = data[c * pixels + i];
                rgb[i * 3 + c] = (byte) (Float.isNaN(value) ? 128 : Math.clamp(Math.round((value + 1) * 127.5f), 0, 255));
            }
        }
        return new Video(frames, height, width, fps, rgb);
    }

    /// One frame as a picture.
    ///
    /// @throws IndexOutOfBoundsException if there is no such frame
    public BufferedImage image(int frame) {
        Objects.checkIndex(frame, frames);
        var row = new int[height * width];
        for (int i = 0, from = frame * row.length * 3; i < row.length; i++, from += 3) {
            row[i] = (rgb[from] & 0xFF) << 16 | (rgb[from + 1] & 0xFF) << 8 | rgb[from + 2] & 0xFF;
        }
        var image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        image.setRGB(0, 0, width, height, row, 0, width);
        return image;
    }

    @Override
    public String toString() {
        return frames + " frames of " + width + "x" + height + " at " + rate(fps) + " fps";
    }

    /// At most three decimals, and none that are zero: 16, 29.97, 23.976.
    private static String rate(double fps) {
        var text = String.format(Locale.ROOT, "%.3f", fps);
        return text.replaceAll("\\.?0+$", "");
    }
}
