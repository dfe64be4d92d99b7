package otherwise.nn;

import otherwise.tensor.Tensor;

/// Resizing pictures and clips, as `torch.nn.functional.interpolate` does with `align_corners=False`.
///
/// Every output pixel is a weighted sum of input pixels, and the axes are independent, so resizing an axis is a product with a constant
/// matrix, and gradients need no code of their own. With m input and n output pixels and r = m/n, output i lies at
///
///     c = (i + ½)·r − ½
///
/// in the input's coordinates. Taps beyond the edge repeat the edge, except with antialiasing, which drops them and shares their weight out.
public enum Interpolation {
    /// The pixel ⌊(i + ½)·r⌋ alone (`nearest-exact`).
    NEAREST_EXACT,

    /// Two taps an axis, 1 − t and t with t = c − ⌊c⌋, where c is at least 0. Over three axes this is `trilinear`.
    BILINEAR,

    /// Four taps an axis, k(1 + t), k(t), k(1 − t), k(2 − t), by Keys' cubic with a = −¾. May overshoot the range of the input.
    ///
    ///     k(d) = (a+2)·d³ − (a+3)·d² + 1       d ≤ 1
    ///     k(d) = a·d³ − 5a·d² + 8a·d − 4a      1 < d < 2
    BICUBIC,

    /// With `antialias=True`: on the way down the triangle is widened by s = max(r, 1), so that every input pixel has a say.
    ///
    ///     weight of j ∝ max(0, 1 − |j − c|/s)        over |j − c| < s, with sum 1
    BILINEAR_ANTIALIAS,

    /// With `antialias=True`: Keys' cubic, here with a = −½, widened likewise.
    ///
    ///     weight of j ∝ k(|j − c|/s)                 over |j − c| < 2s, with sum 1
    BICUBIC_ANTIALIAS;

    private static final double A = -0.75;
    private static final double A_ANTIALIAS = -0.5;

    /// Resizes the last two axes: `[…, H, W]` → `[…, height, width]`.
    public Tensor resize(Tensor x, long height, long width) {
        return axis(axis(x, -1, width), -2, height);
    }

    /// Resizes the last three axes: `[…, T, H, W]` → `[…, frames, height, width]`.
    public Tensor resize(Tensor x, long frames, long height, long width) {
        return axis(resize(x, height, width), -3, frames);
    }

    private Tensor axis(Tensor x, int axis, long to) {
        long from = x.dim(axis);
        if (from == to) return x;
        var matrix = Tensor.of(x.backend(), matrix(Math.toIntExact(from), Math.toIntExact(to)), to, from);
        if (axis == -1) return x.matmulT(matrix);
        return x.transpose(-1, axis).matmulT(matrix).transpose(-1, axis);
    }

    /// The weights with which `from` pixels become `to`, `[to, from]`, row-major. Every row sums to 1.
    public double[] matrix(int from, int to) {
        if (from < 1 || to < 1) throw new IllegalArgumentException("cannot resize " + from + " pixels to " + to);
        var matrix = new double[Math.multiplyExact(to, from)];
        for (int i = 0; i < to; i++) {
            int row = i * from;
            switch (this) {
                case NEAREST_EXACT -> matrix[row + Math.min((int) ((i + 0.5) * from / to), from - 1)] = 1;
                case BILINEAR, BICUBIC -> taps(matrix, row, from, (i + 0.5) * from / to - 0.5);
                case BILINEAR_ANTIALIAS, BICUBIC_ANTIALIAS -> window(matrix, row, from, (i + 0.5) * from / to - 0.5, (double) from / to);
            }
        }
        return matrix;
    }

    /// A fixed number of neighbours of `c`; those beyond the edge add to the edge's weight.
    private void taps(double[] matrix, int row, int from, double c) {
        double at = this == BILINEAR ? Math.max(c, 0) : c;
        int left = (int) Math.floor(at);
        double t = at - left;
        var taps = this == BILINEAR
                ? new double[] {1 - t, t}
                : new double[] {cubic(1 + t, A), cubic(t, A), cubic(1 - t, A), cubic(2 - t, A)};
        int first = left - (taps.length / 2 - 1);
        for (int k = 0; k < taps.length; k++) matrix[row + Math.clamp(first + k, 0, from - 1)] += taps[k];
    }

    /// All pixels under the widened kernel around `c`.
    private void window(double[] matrix, int row, int from, double c, double ratio) {
        double wider = Math.max(ratio, 1);
        double reach = (this == BILINEAR_ANTIALIAS ? 1 : 2) * wider;
        double sum = 0;
        for (int j = Math.max((int) Math.ceil(c - reach), 0); j <= Math.min((int) Math.floor(c + reach), from - 1); j++) {
            double d = Math.abs(j - c) / wider;
            double weight = this == BILINEAR_ANTIALIAS ? Math.max(0, 1 - d) : cubic(d, A_ANTIALIAS);
            matrix[row + j] = weight;
            sum += weight;
        }
        for (int j = 0; j < from; j++) matrix[row + j] /= sum;
    }

    /// Keys' cubic at the distance `d`; 0 from 2 on.
    private static double cubic(double d, double a) {
        if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
        return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
    }
}
