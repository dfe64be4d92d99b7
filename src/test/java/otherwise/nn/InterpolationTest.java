package otherwise.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import otherwise.support.GradCheck;
import otherwise.support.Reference;
import otherwise.tensor.Tensor;

class InterpolationTest {
    private final Reference backend = new Reference();

    /// Two pixels as four: at −¼ (clamped), ¼, ¾, 1¼ (clamped).
    @Test
    void bilinearByHand() {
        assertArrayEquals(new double[] {1, 0, .75, .25, .25, .75, 0, 1}, Interpolation.BILINEAR.matrix(2, 4), 1e-15);
    }

    /// Halfway between two pixels Keys' cubic with a = −¾ weighs −3/32, 19/32, 19/32, −3/32; the edge repeats.
    @Test
    void bicubicByHand() {
        double outer = -3 / 32.0;
        double inner = 19 / 32.0;
        assertArrayEquals(
                new double[] {outer + inner, inner, outer, 0, 0, outer, inner, inner + outer}, Interpolation.BICUBIC.matrix(4, 2), 1e-15);
    }

    @Test
    void rowsSumToOneAndEqualSizesChangeNothing() {
        for (var kind : Interpolation.values()) {
            var x = GradCheck.normal(backend, 5, 2, 7, 9);
            assertArrayEquals(x.doubles(), kind.resize(x, 7, 9).doubles());
            assertArrayEquals(new double[2 * 11 * 3], kind.resize(Tensor.full(backend, 1, 2, 7, 9), 11, 3).plus(-1).doubles(), 1e-12);
        }
        assertThrows(IllegalArgumentException.class, () -> Interpolation.BILINEAR.matrix(0, 4));
    }

    /// The product with matrices is the same as weighing rows and columns pixel by pixel.
    @Test
    void bothAxesAreResized() {
        var x = GradCheck.normal(backend, 6, 5, 4);
        var rows = Interpolation.BICUBIC.matrix(5, 3);
        var columns = Interpolation.BICUBIC.matrix(4, 6);
        var values = x.doubles();
        var y = Interpolation.BICUBIC.resize(x, 3, 6).doubles();
        for (int i = 0; i < 3; i++) {
            for (int j = 0; j < 6; j++) {
                double sum = 0;
                for (int a = 0; a < 5; a++) for (int b = 0; b < 4; b++) sum += rows[i * 5 + a] * columns[j * 4 + b] * values[a * 4 + b];
                assertEquals(sum, y[i * 6 + j], 1e-12);
            }
        }
    }

    /// Three pixels as one. The triangle reaches 3 pixels from the middle one: weights ⅔, 1, ⅔ over their sum. Without antialiasing only
    /// the middle one counts.
    @Test
    void antialiasingSeesEveryPixel() {
        assertArrayEquals(new double[] {2 / 7.0, 3 / 7.0, 2 / 7.0}, Interpolation.BILINEAR_ANTIALIAS.matrix(3, 1), 1e-15);
        assertArrayEquals(new double[] {0, 1, 0}, Interpolation.BILINEAR.matrix(3, 1), 1e-15);
        // Keys' cubic with a = −½ at 0 and ⅓: 1 and 1 + 1.5/27 − 2.5/9.
        double side = 1 + 1.5 / 27 - 2.5 / 9;
        assertArrayEquals(
                new double[] {side / (1 + 2 * side), 1 / (1 + 2 * side), side / (1 + 2 * side)},
                Interpolation.BICUBIC_ANTIALIAS.matrix(3, 1), 1e-15);
    }

    /// On the way up the kernel is not widened; at the edge the tap that is missing leaves its weight to the others.
    @Test
    void antialiasingByHandOnTheWayUp() {
        assertArrayEquals(new double[] {1, 0, .75, .25, .25, .75, 0, 1}, Interpolation.BILINEAR_ANTIALIAS.matrix(2, 4), 1e-15);
    }

    @Test
    void nearestIsThePixelUnderTheMiddle() {
        assertArrayEquals(new double[] {1, 0, 0, 0, 0, 1}, Interpolation.NEAREST_EXACT.matrix(3, 2));
        assertArrayEquals(new double[] {1, 0, 1, 0, 0, 1, 0, 1}, Interpolation.NEAREST_EXACT.matrix(2, 4));
    }

    /// One pixel fills everything, and odd sizes meet one pixel.
    @Test
    void sizeOne() {
        for (var kind : Interpolation.values()) {
            assertArrayEquals(new double[] {1, 1, 1, 1, 1}, kind.matrix(1, 5), 1e-15);
            assertEquals(1, java.util.Arrays.stream(kind.matrix(7, 1)).sum(), 1e-12);
        }
    }

    @Test
    void threeAxesAreThreeProducts() {
        var x = GradCheck.normal(backend, 8, 2, 3, 4, 5);
        var kind = Interpolation.BILINEAR;
        var frameByFrame = kind.resize(x, 6, 3);
        var time = Tensor.of(backend, kind.matrix(3, 7), 7, 3);
        var expected = frameByFrame.permute(0, 2, 3, 1).matmulT(time).permute(0, 3, 1, 2);
        assertArrayEquals(expected.doubles(), kind.resize(x, 7, 6, 3).doubles(), 1e-12);
    }

    @Test
    void gradients() {
        for (var kind : Interpolation.values()) {
            GradCheck.check(backend, in -> kind.resize(in.getFirst(), 3, 8), new long[] {2, 5, 4});
            GradCheck.check(backend, in -> kind.resize(in.getFirst(), 1, 7), new long[] {3, 1});
            GradCheck.check(backend, in -> kind.resize(in.getFirst(), 5, 1, 7), new long[] {2, 3, 7, 3});
        }
    }
}
