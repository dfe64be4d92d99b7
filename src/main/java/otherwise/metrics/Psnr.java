package otherwise.metrics;

import otherwise.io.Video;

/// Peak signal-to-noise ratio, `10 log10(1 / MSE)` decibels for pixels in `[0, 1]`, and the mean squared error itself.
public final class Psnr {
    private Psnr() {}

    /// The mean over all frames of their [#db] figures; infinite as soon as one frame is exact.
    public static double of(Video a, Video b) {
        double[] db = db(Frames.of(a), Frames.of(b));
        double sum = 0;
        for (double frame : db) sum += frame;
        return sum / db.length;
    }

    /// Each frame's ratio; infinite where it is exact.
    ///
    /// @throws IllegalArgumentException if the sizes differ
    public static double[] db(Frames a, Frames b) {
        double[] result = mse(a, b);
        for (int t = 0; t < result.length; t++) result[t] = ofMse(result[t]);
        return result;
    }

    /// The ratio that belongs to a mean squared error.
    public static double ofMse(double mse) {
        return -10 * Math.log10(mse);
    }

    /// Each frame's mean squared error over its pixels and channels.
    ///
    /// @throws IllegalArgumentException if the sizes differ
    public static double[] mse(Frames a, Frames b) {
        return mse(a, b, null);
    }

    /// Each frame's mean squared error over the pixels outside `excluded` (`[T][H·W]`); NaN where none is left.
    ///
    /// @throws IllegalArgumentException if the sizes differ
    public static double[] mse(Frames a, Frames b, boolean[][] excluded) {
        Frames.requireSameSize("MSE", a, b);
        double[] result = new double[a.frames()];
        double[] pa = new double[a.height() * a.width()];
        double[] pb = new double[pa.length];
        for (int t = 0; t < result.length; t++) {
            double sum = 0;
            long count = 0;
            for (int c = 0; c < 3; c++) {
                a.plane(t, c, pa);
                b.plane(t, c, pb);
                for (int p = 0; p < pa.length; p++) {
                    if (excluded != null && excluded[t][p]) continue;
                    sum += (pa[p] - pb[p]) * (pa[p] - pb[p]);
                    count++;
                }
            }
            result[t] = count == 0 ? Double.NaN : sum / count;
        }
        return result;
    }
}
