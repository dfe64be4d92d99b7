package otherwise.data;

/// What lies behind the object and never moves: a mixture of two colours, `from` where the pattern is 0 and `to` where it is 1.
///
/// Every pattern is smooth (no step, no period under 19 pixels in 64), so that the object's outline is the only edge in the picture.
///
/// @param angle the direction of a gradient, stripes or checks, in radians
/// @param period length of one repeat, or the cell of the noise, as a share of the picture's shorter side
/// @param phase where the pattern starts, in repeats
/// @param noise what the values at the noise's cell corners are drawn from
public record Background(Kind kind, Rgb from, Rgb to, double angle, double period, double phase, long noise) {

    /// The patterns.
    public enum Kind {
        /// `from` everywhere.
        PLAIN,
        /// From one side of the picture to the other.
        GRADIENT,
        /// Random values on a coarse grid, smoothly joined.
        NOISE,
        /// A sine wave.
        STRIPES,
        /// The product of two sine waves.
        CHECKS
    }

    /// Writes the picture, `[H, W, 3]` in `[0, 255]`, into `dst`.
    void paint(float[] dst, int height, int width) {
        double side = Math.min(height, width);
        double cos = Math.cos(angle);
        double sin = Math.sin(angle);
        float[] row = new float[3];
        for (int y = 0, at = 0; y < height; y++) {
            for (int x = 0; x < width; x++, at += 3) {
                double u = (x - (width - 1) / 2.0) / side;
                double v = (y - (height - 1) / 2.0) / side;
                mixInto(row, pattern(u * cos + v * sin, v * cos - u * sin, u, v));
                System.arraycopy(row, 0, dst, at, 3);
            }
        }
    }

    /// The pattern's value in `[0, 1]`; `a` runs along the angle, `b` across it, `u` and `v` along the picture's axes.
    private double pattern(double a, double b, double u, double v) {
        return switch (kind) {
            case PLAIN -> 0;
            case GRADIENT -> Math.clamp(0.5 + a / 1.4, 0, 1);
            case NOISE -> valueNoise(u / period + 64 + phase, v / period + 64 + phase);
            case STRIPES -> 0.5 + 0.5 * Math.sin(2 * Math.PI * (a / period + phase));
            case CHECKS -> 0.5 + 0.5 * Math.sin(2 * Math.PI * (a / period + phase)) * Math.sin(2 * Math.PI * (b / period + phase));
        };
    }

    private double valueNoise(double x, double y) {
        int i = (int) x;
        int j = (int) y;
        double fx = x - i;
        double fy = y - j;
        double sx = fx * fx * (3 - 2 * fx);
        double sy = fy * fy * (3 - 2 * fy);
        double top = corner(i, j) + (corner(i + 1, j) - corner(i, j)) * sx;
        double bottom = corner(i, j + 1) + (corner(i + 1, j + 1) - corner(i, j + 1)) * sx;
        return top + (bottom - top) * sy;
    }

    private double corner(int i, int j) {
        return (Draw.mix(noise + i * 0x9E3779B97F4A7C15L + j * 0xD1342543DE82EF95L) >>> 11) * 0x1p-53;
    }

    private void mixInto(float[] pixel, double w) {
        pixel[0] = (float) (255 * (from.r() + (to.r() - from.r()) * w));
        pixel[1] = (float) (255 * (from.g() + (to.g() - from.g()) * w));
        pixel[2] = (float) (255 * (from.b() + (to.b() - from.b()) * w));
    }
}
