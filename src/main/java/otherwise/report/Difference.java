package otherwise.report;

import otherwise.io.Video;

/// How far two clips of one size are apart, at every pixel and when:
///
///     d[t, y, x] = ( |Δr| + |Δg| + |Δb| ) / 3        0 … 255
///
/// @param amounts d in whole grey levels, `[T, H, W]` as unsigned bytes
record Difference(int frames, int height, int width, double fps, byte[] amounts) {

    /// @throws IllegalArgumentException if the clips differ in frames or size
    static Difference of(Video a, Video b) {
        if (a.frames() != b.frames() || a.height() != b.height() || a.width() != b.width()) {
            throw new IllegalArgumentException("no difference of clips that differ in size: " + a + ", " + b);
        }
        var amounts = new byte[a.rgb().length / 3];
        for (int i = 0; i < amounts.length; i++) {
            int sum = 0;
            for (int c = 3 * i; c < 3 * i + 3; c++) {
                sum += Math.abs((a.rgb()[c] & 255) - (b.rgb()[c] & 255));
            }
            amounts[i] = (byte) ((sum + 1) / 3);
        }
        return new Difference(a.frames(), a.height(), a.width(), a.fps(), amounts);
    }

    /// The largest of all.
    int most() {
        int most = 0;
        for (byte amount : amounts) most = Math.max(most, amount & 255);
        return most;
    }

    /// The mean of every frame, `[T]`.
    double[] perFrame() {
        var means = new double[frames];
        int pixels = height * width;
        for (int t = 0; t < frames; t++) {
            long sum = 0;
            for (int i = t * pixels; i < (t + 1) * pixels; i++) sum += amounts[i] & 255;
            means[t] = (double) sum / pixels;
        }
        return means;
    }

    /// The largest difference in each column of each frame, `[W, T]`: where, from left to right, something changed. The largest and not the
    /// mean, since a small object in a wide picture would vanish in a mean.
    byte[] columnsOverTime() {
        var most = new byte[width * frames];
        for (int i = 0; i < amounts.length; i++) {
            keepLarger(most, i % width * frames + i / (height * width), amounts[i]);
        }
        return most;
    }

    /// The largest difference in each row of each frame, `[H, T]`: where, from top to bottom, something changed.
    byte[] rowsOverTime() {
        var most = new byte[height * frames];
        for (int i = 0; i < amounts.length; i++) {
            keepLarger(most, i / width % height * frames + i / (height * width), amounts[i]);
        }
        return most;
    }

    private static void keepLarger(byte[] most, int at, byte amount) {
        if ((amount & 255) > (most[at] & 255)) most[at] = amount;
    }

    /// The difference as a clip to look at: `gain` times as large, on the [HeatScale].
    Video video(double gain) {
        var colors = new int[256];
        for (int amount = 0; amount < 256; amount++) colors[amount] = HeatScale.color(amount * gain / 255);
        var rgb = new byte[amounts.length * 3];
        for (int i = 0; i < amounts.length; i++) {
            int color = colors[amounts[i] & 255];
            rgb[3 * i] = (byte) (color >> 16);
            rgb[3 * i + 1] = (byte) (color >> 8);
            rgb[3 * i + 2] = (byte) color;
        }
        return new Video(frames, height, width, fps, rgb);
    }
}
