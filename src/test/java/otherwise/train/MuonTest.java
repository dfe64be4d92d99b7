package otherwise.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.List;
import org.ejml.simple.SimpleMatrix;
import org.junit.jupiter.api.Test;
import otherwise.support.GradCheck;
import otherwise.support.Reference;
import otherwise.tensor.Tensor;

class MuonTest {
    private final Reference backend = new Reference();

    /// Whatever the shape: the singular values end up near 1, and the singular vectors stay.
    @Test
    void orthogonalMatricesKeepTheirDirections() {
        for (long[] dims : new long[][] {{3, 6, 6}, {1, 4, 9}, {2, 9, 4}, {1, 1, 5}}) {
            var u = GradCheck.normal(backend, 7, dims);
            var x = Muon.orthogonal(u);
            assertEquals(u.shape(), x.shape());
            for (int i = 0; i < dims[0]; i++) {
                var before = matrix(u.select(0, i)).svd();
                // In the base of the old singular vectors the result is diagonal.
                var seen = before.getU().transpose().mult(matrix(x.select(0, i))).mult(before.getV());
                for (int r = 0; r < seen.getNumRows(); r++) {
                    for (int c = 0; c < seen.getNumCols(); c++) {
                        double value = seen.get(r, c);
                        if (r != c) assertEquals(0, value, 1e-9);
                        else
                            if (before.getSingleValue(r) > 0.02 * before.getSingleValue(0))
                                assertTrue(value > 0.6 && value < 1.3, "singular value " + value);
                    }
                }
            }
        }
    }

    /// The first step from zero is `lr · 0.2 · √max(R, C)` long in every direction; what is not a hidden matrix moves as with AdamW.
    @Test
    void stepsAreAsLongAsThoseOfAdamW() {
        var p = new LinkedHashMap<String, Tensor>();
        p.put("blocks.w", Tensor.zeros(backend, 4, 16));
        p.put("head.w", Tensor.zeros(backend, 4, 16));
        p.put("blocks.b", Tensor.zeros(backend, 4));
        var muon = new Muon(p, new Muon.Settings(0.95, 0, AdamW.Settings.DEFAULT), name -> name.startsWith("blocks."));
        muon.step(
                List.of(
                        GradCheck.normal(backend, 1, 4, 16),
                        GradCheck.normal(backend, 2, 4, 16).times(1e3),
                        GradCheck.normal(backend, 3, 4).times(1e-3)),
                0.1);
        var values = matrix(p.get("blocks.w")).svd().getSingularValues();
        for (double s : values) assertEquals(0.1 * 0.2 * 4, s, 0.1 * 0.2 * 4 * 0.4);
        for (double x : p.get("head.w").doubles()) assertEquals(0.1, Math.abs(x), 1e-3);
        for (double x : p.get("blocks.b").doubles()) assertEquals(0.1, Math.abs(x), 1e-3);
        assertEquals(
                List.of(
                        "momentum.blocks.w", "exp_avg.head.w", "exp_avg.blocks.b", "exp_avg_sq.head.w", "exp_avg_sq.blocks.b"),
                List.copyOf(muon.state().keySet()));
    }

    @Test
    void refusesWhatIsOutOfRange() {
        assertThrows(IllegalArgumentException.class, () -> new Muon.Settings(1, 0, AdamW.Settings.DEFAULT));
        assertThrows(IllegalArgumentException.class, () -> new Muon.Settings(0.9, -1, AdamW.Settings.DEFAULT));
    }

    private static SimpleMatrix matrix(Tensor x) {
        return new SimpleMatrix(Math.toIntExact(x.dim(0)), Math.toIntExact(x.dim(1)), true, x.doubles());
    }
}
