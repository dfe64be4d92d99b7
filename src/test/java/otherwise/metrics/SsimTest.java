package otherwise.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class SsimTest {
    private static final int H = 17;
    private static final int W = 14;

    @Test
    void agreesWithTheFormulaWindowByWindow() {
        double[] a = pixels(1, 2 * H * W * 3);
        double[] b = pixels(2, 2 * H * W * 3);
        for (int i = 0; i < b.length; i++) b[i] = 0.7 * a[i] + 0.3 * b[i];
        double[] rgb = Ssim.rgb(Frames.of(a, 2, H, W), Frames.of(b, 2, H, W));
        for (int t = 0; t < 2; t++) {
            double expected = 0;
            for (int c = 0; c < 3; c++) expected += direct(a, b, t, c) / 3;
            assertEquals(expected, rgb[t], 1e-12);
        }
    }

    @Test
    void equalIsOneAndGrayIsTheLumas() {
        double[] a = pixels(3, H * W * 3);
        double[] b = pixels(4, H * W * 3);
        assertEquals(1, Ssim.rgb(Frames.of(a, 1, H, W), Frames.of(a, 1, H, W))[0], 1e-12);
        double[] grayA = gray(a);
        double[] grayB = gray(b);
        assertEquals(
                Ssim.rgb(Frames.of(grayA, 1, H, W), Frames.of(grayB, 1, H, W))[0],
                Ssim.gray(Frames.of(a, 1, H, W), Frames.of(b, 1, H, W))[0], 1e-12);
    }

    @Test
    void theBackgroundIgnoresWhatHappensInsideTheObjects() {
        int side = 40;
        double[] a = pixels(5, side * side * 3);
        double[] b = a.clone();
        boolean[][] object = new boolean[1][side * side];
        for (int y = 5; y < 12; y++) {
            for (int x = 3; x < 9; x++) {
                object[0][y * side + x] = true;
                for (int c = 0; c < 3; c++) b[(y * side + x) * 3 + c] = 0;
            }
        }
        Frames fa = Frames.of(a, 1, side, side);
        Frames fb = Frames.of(b, 1, side, side);
        boolean[][] none = new boolean[1][side * side];
        assertEquals(1, Ssim.background(fa, fb, object, none), 1e-12);
        assertEquals(1, Ssim.background(fa, fb, none, object), 1e-12);
        assertTrue(Ssim.background(fa, fb, none, none) < 0.99);
        assertEquals(Ssim.rgb(fa, fb)[0], Ssim.background(fa, fb, none, none), 1e-12);
        Arrays.fill(none[0], true);
        assertTrue(Double.isNaN(Ssim.background(fa, fb, none, object)));
    }

    @Test
    void differentSizesAreRefusedWithBoth() {
        Frames a = Frames.of(new double[H * W * 3], 1, H, W);
        Frames b = Frames.of(new double[W * H * 3], 1, W, H);
        var refused = assertThrows(IllegalArgumentException.class, () -> Ssim.rgb(a, b));
        assertEquals("SSIM of 1 frames of 14x17 and 1 frames of 17x14", refused.getMessage());
        Frames small = Frames.of(new double[10 * 30 * 3], 1, 10, 30);
        assertThrows(IllegalArgumentException.class, () -> Ssim.gray(small, small));
    }

    @Test
    void psnrAndChangeByHand() {
        float[] a = new float[3 * 2 * 4];
        float[] b = new float[3 * 2 * 4];
        b[0] = 0.5f; // red, frame 0, pixel 0: a quarter of the range
        Frames fa = Frames.of(a, 2, 2, 2);
        Frames fb = Frames.of(b, 2, 2, 2);
        double[] mse = Psnr.mse(fa, fb);
        assertEquals(0.25 * 0.25 / 12, mse[0], 1e-15);
        assertEquals(0, mse[1]);
        assertEquals(10 * Math.log10(12 * 16), Psnr.db(fa, fb)[0], 1e-12);
        assertEquals(Double.POSITIVE_INFINITY, Psnr.db(fa, fb)[1]);
        boolean[][] excluded = {{true, false, false, false}, {false, false, false, false}};
        assertEquals(0, Psnr.mse(fa, fb, excluded)[0]);

        Change change = Change.between(fa, fb);
        assertEquals(0.25 / 24, change.l1(), 1e-15);
        assertEquals(0.25 / 12, change.firstFrame(), 1e-15);
        assertEquals(1 / 8.0, change.share(), 1e-15);
    }

    /// Every window by itself, with the two-dimensional Gaussian.
    private static double direct(double[] a, double[] b, int t, int c) {
        double total = 0;
        for (int y = 0; y + 11 <= H; y++) {
            for (int x = 0; x + 11 <= W; x++) {
                double weight = 0;
                double[] m = new double[5];
                for (int j = 0; j < 11; j++) {
                    for (int i = 0; i < 11; i++) {
                        double g = Math.exp(-((i - 5) * (i - 5) + (j - 5) * (j - 5)) / 4.5);
                        double p = a[((t * H + y + j) * W + x + i) * 3 + c];
                        double q = b[((t * H + y + j) * W + x + i) * 3 + c];
                        double[] values = {p, q, p * p, q * q, p * q};
                        for (int k = 0; k < 5; k++) m[k] += g * values[k];
                        weight += g;
                    }
                }
                for (int k = 0; k < 5; k++) m[k] /= weight;
                double similar = (2 * m[0] * m[1] + 1e-4) * (2 * (m[4] - m[0] * m[1]) + 9e-4);
                total += similar / ((m[0] * m[0] + m[1] * m[1] + 1e-4) * (m[2] - m[0] * m[0] + m[3] - m[1] * m[1] + 9e-4));
            }
        }
        return total / ((H - 10) * (W - 10));
    }

    private static double[] gray(double[] rgb) {
        double[] gray = new double[rgb.length];
        for (int i = 0; i < rgb.length; i += 3) {
            Arrays.fill(gray, i, i + 3, 0.299 * rgb[i] + 0.587 * rgb[i + 1] + 0.114 * rgb[i + 2]);
        }
        return gray;
    }

    private static double[] pixels(long seed, int count) {
        return new SplittableRandom(seed).doubles(count).toArray();
    }
}
