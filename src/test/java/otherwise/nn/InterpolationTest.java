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

    @Test
    void gradient() {
        GradCheck.check(backend, in -> Interpolation.BICUBIC.resize(in.getFirst(), 3, 8), new long[] {2, 5, 4});
    }
}
