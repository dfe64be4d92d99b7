package otherwise.metrics;

/// How much of a video an edit touched.
///
/// @param l1 mean absolute difference of pixels and channels, in `[0, 1]`
/// @param share share of the pixels of which some channel changed by more than [#VISIBLE]
/// @param firstFrame mean absolute difference in frame 0, which an image-to-video generator is given and should keep
public record Change(double l1, double share, double firstFrame) {

    /// The smallest change that counts as one.
    public static final double VISIBLE = 0.05;

    /// From `a` to `b`.
    ///
    /// @throws IllegalArgumentException if the sizes differ
    public static Change between(Frames a, Frames b) {
        Frames.requireSameSize("the change", a, b);
        int size = a.height() * a.width();
        double[] pa = new double[size];
        double[] pb = new double[size];
        double first = 0;
        double sum = 0;
        long touched = 0;
        for (int t = 0; t < a.frames(); t++) {
            boolean[] seen = new boolean[size];
            for (int c = 0; c < 3; c++) {
                a.plane(t, c, pa);
                b.plane(t, c, pb);
                for (int p = 0; p < size; p++) {
                    double difference = Math.abs(pa[p] - pb[p]);
                    sum += difference;
                    if (difference > VISIBLE) seen[p] = true;
                }
            }
            if (t == 0) first = sum / (3.0 * size);
            for (boolean pixel : seen) if (pixel) touched++;
        }
        double pixels = (double) a.frames() * size;
        return new Change(sum / (3 * pixels), touched / pixels, first);
    }
}
