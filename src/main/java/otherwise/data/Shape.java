package otherwise.data;

/// The outlines that move. Each is given by its signed distance: how far, in pixels, a point lies outside (positive) or inside
/// (negative) the outline of an object of size `size` (half a disc's width) whose centroid is the origin.
///
/// A distance gives smooth edges at any sub-pixel position for free: coverage of a pixel is `clamp(1/2 - distance, 0, 1)`.
public enum Shape {
    DISC(1.0),
    SQUARE(0.9),
    TRIANGLE(1.25),
    STAR(1.3);

    private static final double[] TRIANGLE_X = {0, 0.866025403784, -0.866025403784};
    private static final double[] TRIANGLE_Y = {-1, 0.5, 0.5};
    private static final double[] STAR_X = new double[10];
    private static final double[] STAR_Y = new double[10];

    static {
        for (int i = 0; i < 10; i++) {
            double reach = i % 2 == 0 ? 1 : 0.48;
            STAR_X[i] = reach * Math.sin(Math.PI * i / 5);
            STAR_Y[i] = -reach * Math.cos(Math.PI * i / 5);
        }
    }

    private final double reach;

    Shape(double reach) {
        this.reach = reach;
    }

    /// The farthest that the outline gets from the centroid along an axis, for size 1.
    public double reach() {
        return reach;
    }

    /// Signed distance of `(x, y)` to the outline.
    double distance(double x, double y, double size) {
        return switch (this) {
            case DISC -> Math.sqrt(x * x + y * y) - size;
            case SQUARE -> box(x, y, reach * size, reach * size);
            case TRIANGLE -> polygon(x, y, reach * size, TRIANGLE_X, TRIANGLE_Y);
            case STAR -> polygon(x, y, reach * size, STAR_X, STAR_Y);
        };
    }

    private static double box(double x, double y, double halfWidth, double halfHeight) {
        double dx = Math.abs(x) - halfWidth;
        double dy = Math.abs(y) - halfHeight;
        double ox = Math.max(dx, 0);
        double oy = Math.max(dy, 0);
        return Math.sqrt(ox * ox + oy * oy) + Math.min(Math.max(dx, dy), 0);
    }

    /// Distance to the nearest edge; inside if a ray to the right crosses an odd number of edges.
    private static double polygon(double px, double py, double scale, double[] xs, double[] ys) {
        double x = px / scale;
        double y = py / scale;
        double nearest = Double.MAX_VALUE;
        boolean inside = false;
        for (int i = 0, j = xs.length - 1; i < xs.length; j = i++) {
            double ex = xs[j] - xs[i];
            double ey = ys[j] - ys[i];
            double wx = x - xs[i];
            double wy = y - ys[i];
            double along = Math.clamp((wx * ex + wy * ey) / (ex * ex + ey * ey), 0, 1);
            double dx = wx - ex * along;
            double dy = wy - ey * along;
            nearest = Math.min(nearest, dx * dx + dy * dy);
            if ((ys[i] > y) != (ys[j] > y) && x < xs[i] + ex * (y - ys[i]) / ey) inside = !inside;
        }
        return (inside ? -1 : 1) * scale * Math.sqrt(nearest);
    }
}
