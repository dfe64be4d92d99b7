package otherwise.metrics;

import java.util.Arrays;
import otherwise.io.Video;

/// Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004), in windows:
///
///     SSIM = (2 μa μb + C1)(2 σab + C2) / ((μa² + μb² + C1)(σa² + σb² + C2))      C1 = 0.01²   C2 = 0.03²
///
/// Means and (population) moments are weighted by a Gaussian of 11×11 pixels, σ 1.5, taken only where the whole window fits into
/// the picture ("valid"), and averaged. 1 means equal. A frame's figure is the mean over its three channels, or that of its luma
/// `.299 R + .587 G + .114 B`.
public final class Ssim {

    /// The window's side.
    public static final int WINDOW = 11;

    private static final double SIGMA = 1.5;
    /// Steadies the comparison of means, for a range of 1.
    public static final double C1 = 0.01 * 0.01;

    /// Steadies the comparison of contrasts, for a range of 1.
    public static final double C2 = 0.03 * 0.03;
    private static final double[] GAUSSIAN = window();

    private Ssim() {}

    /// The one-dimensional window, of which the two-dimensional one is the product with itself; sums to 1.
    public static double[] gaussian() {
        return GAUSSIAN.clone();
    }

    /// The mean over all frames of their [#rgb] figures.
    public static double of(Video a, Video b) {
        return mean(rgb(Frames.of(a), Frames.of(b)));
    }

    /// Each frame's SSIM, the mean over its three channels.
    ///
    /// @throws IllegalArgumentException if the sizes differ, or are under 11×11
    public static double[] rgb(Frames a, Frames b) {
        requireComparable(a, b);
        double[] result = new double[a.frames()];
        for (int t = 0; t < result.length; t++) {
            for (int c = 0; c < 3; c++) result[t] += mean(map(plane(a, t, c), plane(b, t, c), a.height(), a.width())) / 3;
        }
        return result;
    }

    /// Each frame's SSIM on its luma.
    ///
    /// @throws IllegalArgumentException if the sizes differ, or are under 11×11
    public static double[] gray(Frames a, Frames b) {
        requireComparable(a, b);
        double[] result = new double[a.frames()];
        for (int t = 0; t < result.length; t++) result[t] = mean(map(luma(a, t), luma(b, t), a.height(), a.width()));
        return result;
    }

    /// The mean (over frames and channels) over those windows that hold no pixel of either object, or NaN if there is no such window:
    /// how well the background was left alone. The objects are given for each frame as `[H, W]`.
    ///
    /// @throws IllegalArgumentException if the sizes differ, or are under 11×11
    public static double background(Frames a, Frames b, boolean[][] objectA, boolean[][] objectB) {
        requireComparable(a, b);
        requireMask(a, objectA);
        requireMask(a, objectB);
        int rows = a.height() - WINDOW + 1;
        int columns = a.width() - WINDOW + 1;
        double sum = 0;
        long count = 0;
        for (int t = 0; t < a.frames(); t++) {
            boolean[] free = freeWindows(objectA[t], objectB[t], a.height(), a.width());
            for (int c = 0; c < 3; c++) {
                double[] map = map(plane(a, t, c), plane(b, t, c), a.height(), a.width());
                for (int i = 0; i < rows * columns; i++) {
                    if (!free[i]) continue;
                    sum += map[i];
                    count++;
                }
            }
        }
        return count == 0 ? Double.NaN : sum / count;
    }

    /// SSIM at every window, `[H-10, W-10]`, of two planes `[H, W]`.
    public static double[] map(double[] a, double[] b, int height, int width) {
        int n = height * width;
        double[] aa = new double[n];
        double[] bb = new double[n];
        double[] ab = new double[n];
        for (int p = 0; p < n; p++) {
            aa[p] = a[p] * a[p];
            bb[p] = b[p] * b[p];
            ab[p] = a[p] * b[p];
        }
        double[] meanA = blur(a, height, width);
        double[] meanB = blur(b, height, width);
        double[] squareA = blur(aa, height, width);
        double[] squareB = blur(bb, height, width);
        double[] product = blur(ab, height, width);
        double[] map = new double[meanA.length];
        for (int i = 0; i < map.length; i++) {
            double ma = meanA[i];
            double mb = meanB[i];
            double both = (2 * ma * mb + C1) * (2 * (product[i] - ma * mb) + C2);
            map[i] = both / ((ma * ma + mb * mb + C1) * (squareA[i] - ma * ma + squareB[i] - mb * mb + C2));
        }
        return map;
    }

    /// The window is a product of two one-dimensional ones: rows first, then columns.
    private static double[] blur(double[] plane, int height, int width) {
        int columns = width - WINDOW + 1;
        int rows = height - WINDOW + 1;
        double[] across = new double[height * columns];
        for (int y = 0; y < height; y++) {
            for (int k = 0; k < WINDOW; k++) {
                double weight = GAUSSIAN[k];
                for (int x = 0; x < columns; x++) across[y * columns + x] += weight * plane[y * width + x + k];
            }
        }
        double[] down = new double[rows * columns];
        for (int y = 0; y < rows; y++) {
            for (int k = 0; k < WINDOW; k++) {
                double weight = GAUSSIAN[k];
                for (int x = 0; x < columns; x++) down[y * columns + x] += weight * across[(y + k) * columns + x];
            }
        }
        return down;
    }

    /// Windows without a pixel of either mask, counted by a summed-area table.
    private static boolean[] freeWindows(boolean[] first, boolean[] second, int height, int width) {
        int stride = width + 1;
        int[] above = new int[(height + 1) * stride];
        for (int y = 0; y < height; y++) {
            int row = 0;
            for (int x = 0; x < width; x++) {
                if (first[y * width + x] || second[y * width + x]) row++;
                above[(y + 1) * stride + x + 1] = above[y * stride + x + 1] + row;
            }
        }
        int columns = width - WINDOW + 1;
        boolean[] free = new boolean[(height - WINDOW + 1) * columns];
        for (int y = 0; y + WINDOW <= height; y++) {
            for (int x = 0; x < columns; x++) {
                int bottom = (y + WINDOW) * stride + x;
                int top = y * stride + x;
                free[y * columns + x] = above[bottom + WINDOW] - above[bottom] - above[top + WINDOW] + above[top] == 0;
            }
        }
        return free;
    }

    private static double[] plane(Frames frames, int t, int c) {
        double[] plane = new double[frames.height() * frames.width()];
        frames.plane(t, c, plane);
        return plane;
    }

    private static double[] luma(Frames frames, int t) {
        double[] r = plane(frames, t, 0);
        double[] g = plane(frames, t, 1);
        double[] b = plane(frames, t, 2);
        for (int p = 0; p < r.length; p++) r[p] = 0.299 * r[p] + 0.587 * g[p] + 0.114 * b[p];
        return r;
    }

    private static void requireComparable(Frames a, Frames b) {
        Frames.requireSameSize("SSIM", a, b);
        if (a.height() < WINDOW || a.width() < WINDOW) {
            throw new IllegalArgumentException("SSIM needs at least 11x11 pixels, not %dx%d".formatted(a.width(), a.height()));
        }
    }

    private static void requireMask(Frames frames, boolean[][] object) {
        if (object.length != frames.frames() || object[0].length != frames.height() * frames.width()) {
            throw new IllegalArgumentException("a mask of %d frames of %d pixels for %d frames of %dx%d"
                    .formatted(object.length, object[0].length, frames.frames(), frames.width(), frames.height()));
        }
    }

    private static double mean(double[] values) {
        return Arrays.stream(values).sum() / values.length;
    }

    private static double[] window() {
        double[] weights = new double[WINDOW];
        double sum = 0;
        for (int i = 0; i < WINDOW; i++) {
            double x = i - (WINDOW - 1) / 2.0;
            weights[i] = Math.exp(-x * x / (2 * SIGMA * SIGMA));
            sum += weights[i];
        }
        for (int i = 0; i < WINDOW; i++) weights[i] /= sum;
        return weights;
    }
}
