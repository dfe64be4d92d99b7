package otherwise.support;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/// How far two tensors are apart: max|a − b| / max|b|, the measure of every comparison in this project.
public final class Close {
    private Close() {}

    /// The relative error of `actual`; absolute where all that is expected is 0, infinite where either is not a number.
    public static double error(double[] actual, double[] expected) {
        double difference = 0;
        double largest = 0;
        for (int i = 0; i < expected.length; i++) {
            if (actual[i] == expected[i] && !Double.isFinite(expected[i])) continue;
            double d = Math.abs(actual[i] - expected[i]);
            if (!Double.isFinite(d)) return Double.POSITIVE_INFINITY;
            difference = Math.max(difference, d);
            largest = Math.max(largest, Math.abs(expected[i]));
        }
        return largest == 0 ? difference : difference / largest;
    }

    /// Fails unless both have one length and the relative error is at most `limit`.
    public static void check(String what, double[] actual, double[] expected, double limit) {
        assertEquals(expected.length, actual.length, what + ": size");
        double error = error(actual, expected);
        assertTrue(error <= limit, () -> what + ": relative error " + error + " is above " + limit + worst(actual, expected));
    }

    private static String worst(double[] actual, double[] expected) {
        int worst = 0;
        for (int i = 0; i < expected.length; i++) {
            double d = Math.abs(actual[i] - expected[i]);
            if (Double.isNaN(d)) return "; element " + i + " is " + actual[i] + ", expected " + expected[i];
            if (d > Math.abs(actual[worst] - expected[worst])) worst = i;
        }
        return "; element " + worst + " is " + actual[worst] + ", expected " + expected[worst];
    }
}
