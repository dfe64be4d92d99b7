package otherwise.metrics;

import otherwise.io.Video;

/// Pixels to be measured, whatever holds them: `frames` pictures of three channels, read plane by plane as doubles in `[0, 1]`.
public interface Frames {

    int frames();

    int height();

    int width();

    /// Writes channel `c` of frame `t`, `[H, W]` in `[0, 1]`, into `plane`.
    void plane(int t, int c, double[] plane);

    /// An 8-bit video.
    static Frames of(Video video) {
        byte[] rgb = video.rgb();
        int size = video.height() * video.width();
        return new Of(video.frames(), video.height(), video.width(), (t, c, plane) -> {
            for (int p = 0; p < size; p++) plane[p] = (rgb[(t * size + p) * 3 + c] & 255) / 255.0;
        });
    }

    /// What a network reads and gives: `[3, T, H, W]` in `[-1, 1]`, not clamped.
    ///
    /// @throws IllegalArgumentException if the array has another length
    static Frames of(float[] pixels, int frames, int height, int width) {
        requireLength(pixels.length, frames, height, width);
        int size = height * width;
        return new Of(frames, height, width, (t, c, plane) -> {
            for (int p = 0; p < size; p++) plane[p] = (pixels[(c * frames + t) * size + p] + 1.0) / 2;
        });
    }

    /// Doubles `[T, H, W, 3]` in `[0, 1]`.
    ///
    /// @throws IllegalArgumentException if the array has another length
    static Frames of(double[] pixels, int frames, int height, int width) {
        requireLength(pixels.length, frames, height, width);
        int size = height * width;
        return new Of(frames, height, width, (t, c, plane) -> {
            for (int p = 0; p < size; p++) plane[p] = pixels[(t * size + p) * 3 + c];
        });
    }

    /// Refuses to compare what has not the same size; `metric` names who asks.
    ///
    /// @throws IllegalArgumentException with both sizes
    static void requireSameSize(String metric, Frames a, Frames b) {
        if (a.frames() != b.frames() || a.height() != b.height() || a.width() != b.width()) {
            throw new IllegalArgumentException("%s of %d frames of %dx%d and %d frames of %dx%d"
                    .formatted(metric, a.frames(), a.width(), a.height(), b.frames(), b.width(), b.height()));
        }
    }

    private static void requireLength(int length, int frames, int height, int width) {
        if (length != 3L * frames * height * width) {
            throw new IllegalArgumentException("%d frames of %dx%d in an array of %d".formatted(frames, width, height, length));
        }
    }

    /// Reads one plane.
    @FunctionalInterface
    interface Reader {
        void plane(int t, int c, double[] plane);
    }

    /// Sizes and a reader.
    record Of(int frames, int height, int width, Reader reader) implements Frames {
        @Override
        public void plane(int t, int c, double[] plane) {
            reader.plane(t, c, plane);
        }
    }
}
