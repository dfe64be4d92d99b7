package otherwise.nn;

import otherwise.tensor.Tensor;

/// Resizing pictures, as `torch.nn.functional.interpolate` does with `align_corners=False` and without antialiasing.
///
/// Every output pixel is a weighted sum of a few input pixels, so resizing an axis is a product with a constant matrix, and gradients need
/// no code of their own. Pixel i of n reads at (i + ½)·m/n − ½ of the m input pixels; taps beyond the edge repeat the edge.
public enum Interpolation {
    /// Two taps an axis; coordinates before the first pixel are taken as the first pixel.
    BILINEAR,
    /// Four taps an axis by Keys' cubic with a = −0.75. May overshoot the range of the input.
    BICUBIC;

    private static final double A = -0.75;

    /// Resizes the last two axes: `[…, H, W]` → `[…, height, width]`.
    public Tensor resize(Tensor x, long height, long width) {
        var wide = width == x.dim(-1) ? x : x.matmulT(matrix(x, x.dim(-1), width));
        if (height == x.dim(-2)) return wide;
        return wide.transpose(-1, -2).matmulT(matrix(x, x.dim(-2), height)).transpose(-1, -2);
    }

    private Tensor matrix(Tensor like, long from, long to) {
        return Tensor.of(like.backend(), matrix(Math.toIntExact(from), Math.toIntExact(to)), to, from);
    }

    /// The weights with which `from` pixels become `to`, `[to, from]`, row-major. Every row sums to 1.
    public double[] matrix(int from, int to) {
        if (from < 1 || to < 1) throw new IllegalArgumentException("cannot resize " + from + " pixels to " + to);
        var matrix = new double[Math.multiplyExact(to, from)];
        for (int i = 0; i < to; i++) {
            double at = (i + 0.5) * from / to - 0.5;
            if (this == BILINEAR) at = Math.max(at, 0);
            int left = (int) Math.floor(at);
            double[] taps = taps(at - left);
            int first = left - (taps.length / 2 - 1);
            for (int k = 0; k < taps.length; k++) matrix[i * from + Math.clamp(first + k, 0, from - 1)] += taps[k];
        }
        return matrix;
    }

    /// The weights of the neighbours at a fraction `t` of the way from one pixel to the next.
    private double[] taps(double t) {
        return switch (this) {
            case BILINEAR -> new double[] {1 - t, t};
            case BICUBIC -> new double[] {outer(1 + t), inner(t), inner(1 - t), outer(2 - t)};
        };
    }

    /// Keys' cubic for a distance of at most 1.
    private static double inner(double d) {
        return ((A + 2) * d - (A + 3)) * d * d + 1;
    }

    /// Keys' cubic for a distance between 1 and 2.
    private static double outer(double d) {
        return ((A * d - 5 * A) * d + 8 * A) * d - 4 * A;
    }
}
