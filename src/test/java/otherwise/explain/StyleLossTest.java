package otherwise.explain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import otherwise.autograd.Gradients;
import otherwise.backend.Backends;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

class StyleLossTest {
    private static final int T = 3;
    private static final int H = 4;
    private static final int W = 5;

    /// The formula, written out in double precision.
    private static double expected(float[] a, float[] b) {
        double sum = 0;
        for (int t = 0; t < T; t++) {
            for (int i = 0; i < 3; i++) {
                for (int j = 0; j < 3; j++) {
                    double d = gram(a, t, i, j) - gram(b, t, i, j);
                    sum += d * d;
                }
            }
        }
        return sum / (T * 9);
    }

    private static double gram(float[] x, int t, int i, int j) {
        double sum = 0;
        for (int p = 0; p < H * W; p++) sum += (x[(i * T + t) * H * W + p] + 1) / 2.0 * ((x[(j * T + t) * H * W + p] + 1) / 2.0);
        return sum / (3 * H * W);
    }

    @Test
    void isTheFormulaAndItsSlope() {
        try (var backend = Backends.open("cpu", 1);
                var _ = backend.scope()) {
            var a = Random.philox(1, 0).uniform(3 * T * H * W);
            var b = Random.philox(2, 0).uniform(3 * T * H * W);
            var loss = StyleLoss.against(Tensor.of(backend, a, 1, 3, T, H, W));
            var x = Tensor.of(backend, b, 1, 3, T, H, W).variable();
            var y = loss.of(x);
            assertEquals(expected(a, b), y.item(), 1e-6 * expected(a, b) + 1e-10);
            var slope = Gradients.of(y).to(x).floats();
            for (int i = 0; i < b.length; i += 17) {
                var up = b.clone();
                var down = b.clone();
                up[i] += 0.01f;
                down[i] -= 0.01f;
                double numeric = (expected(a, up) - expected(a, down)) / (up[i] - down[i]);
                assertEquals(numeric, slope[i], 1e-3 * Math.abs(numeric) + 1e-7);
            }
        }
    }

    @Test
    void seesColourAndNotPlace() {
        try (var backend = Backends.open("cpu", 1);
                var _ = backend.scope()) {
            var a = Random.philox(1, 0).uniform(3 * T * H * W);
            var turned = new float[a.length];
            // The same pixels of each frame in the opposite order.
            for (int f = 0; f < 3 * T; f++) for (int p = 0; p < H * W; p++) turned[f * H * W + p] = a[f * H * W + H * W - 1 - p];
            var lighter = a.clone();
            for (int i = 0; i < a.length; i++) lighter[i] += 0.02f;
            var loss = StyleLoss.against(Tensor.of(backend, a, 1, 3, T, H, W));
            double same = loss.of(Tensor.of(backend, turned, 1, 3, T, H, W)).item();
            double changed = loss.of(Tensor.of(backend, lighter, 1, 3, T, H, W)).item();
            assertTrue(same < 1e-10, "moved pixels: " + same);
            assertTrue(changed > 1e-6, "a colour cast: " + changed);
        }
    }
}
