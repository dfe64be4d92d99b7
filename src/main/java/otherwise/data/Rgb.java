package otherwise.data;

/// A colour, each part in `[0, 1]`.
public record Rgb(double r, double g, double b) {

    /// The colour at hue, saturation and value, each in `[0, 1]` (the usual hexcone).
    public static Rgb hsv(double hue, double saturation, double value) {
        return new Rgb(part(5, hue, saturation, value), part(3, hue, saturation, value), part(1, hue, saturation, value));
    }

    private static double part(int n, double hue, double saturation, double value) {
        double k = (n + hue * 6) % 6;
        return value - value * saturation * Math.clamp(Math.min(k, 4 - k), 0, 1);
    }

    /// This colour at `w` 0, `other` at `w` 1.
    public Rgb mix(Rgb other, double w) {
        return new Rgb(r + (other.r - r) * w, g + (other.g - g) * w, b + (other.b - b) * w);
    }

    /// This colour moved by `(dr, dg, db)` and held inside `[0, 1]`.
    Rgb shifted(double dr, double dg, double db) {
        return new Rgb(Math.clamp(r + dr, 0, 1), Math.clamp(g + dg, 0, 1), Math.clamp(b + db, 0, 1));
    }

    /// Euclidean distance in the RGB cube (black to white is √3).
    public double distance(Rgb other) {
        return Math.sqrt((r - other.r) * (r - other.r) + (g - other.g) * (g - other.g) + (b - other.b) * (b - other.b));
    }

    /// The least distance from this colour to any mixture of `p` and `q`.
    double distance(Rgb p, Rgb q) {
        double length = p.distance(q);
        if (length < 1e-9) return distance(p);
        double along = (r - p.r) * (q.r - p.r) + (g - p.g) * (q.g - p.g) + (b - p.b) * (q.b - p.b);
        return distance(p.mix(q, Math.clamp(along / (length * length), 0, 1)));
    }

    /// `#rrggbb`, for tables.
    @Override
    public String toString() {
        return "#%02x%02x%02x".formatted(Math.round(r * 255), Math.round(g * 255), Math.round(b * 255));
    }
}
