package otherwise.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class VerdictTest {

    private static final List<String> CLASSES = List.of("up", "down", "left");

    @Test
    void aFlip() {
        var verdict = Verdict.of(CLASSES, new double[] {0.99, 0.005, 0.005}, new double[] {0.02, 0.01, 0.97}, 0, 2);
        assertTrue(verdict.flipped());
        assertEquals("up 0.99 → left 0.97", verdict.headline());
        assertEquals("up 0.99 -> left 0.97, SSIM 0.95, 74 s", verdict.line("SSIM 0.95", "74 s"));
    }

    @Test
    void noFlipSaysWhatItIsNow() {
        var still = Verdict.of(CLASSES, new double[] {0.99, 0.005, 0.005}, new double[] {0.83, 0.05, 0.12}, 0, 2);
        assertFalse(still.flipped());
        assertEquals("up 0.99 → up 0.83, left 0.12: not flipped", still.headline());
        var third = Verdict.of(CLASSES, new double[] {0.99, 0.005, 0.005}, new double[] {0.3, 0.6, 0.1}, 0, 2);
        assertEquals("up 0.99 -> down 0.60, left 0.10: not flipped", third.line());
    }

    @Test
    void aTieGoesToTheFirstAsInTheClassifier() {
        assertFalse(Verdict.of(CLASSES, new double[] {1, 0, 0}, new double[] {0.5, 0, 0.5}, 0, 2).flipped());
    }

    @Test
    void noRoundingMakesCertain() {
        assertEquals(">0.99", Verdict.probability(0.9999));
        assertEquals("<0.01", Verdict.probability(1e-9));
        assertEquals("1.00", Verdict.probability(1));
        assertEquals("0.00", Verdict.probability(0));
        assertEquals("0.99", Verdict.probability(0.9949));
        assertEquals("0.01", Verdict.probability(0.005));
        assertEquals("?", Verdict.probability(Double.NaN));
    }
}
