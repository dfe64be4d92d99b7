package otherwise.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class VectorMathTest {
    private static float exp(float x) {
        return VectorMath.exp(FloatVector.broadcast(VectorMath.SPECIES, x)).lane(VectorMath.LANES - 1);
    }

    @Test
    void expIsWithinTwoUnitsInTheLastPlace() {
        for (float x = -86.6f; x < 88.72f; x += 0.00317f) {
            double expected = Math.exp(x);
            assertTrue(Math.abs(exp(x) - expected) <= 2 * Math.ulp((float) expected), "exp(" + x + ") gave " + exp(x));
        }
    }

    @Test
    void expAtTheEnds() {
        assertEquals(1f, exp(0f));
        assertEquals(0f, exp(-1000f));
        assertEquals(0f, exp(-86.65f));
        assertEquals(0f, exp(Float.NEGATIVE_INFINITY));
        assertEquals(Float.POSITIVE_INFINITY, exp(88.73f));
        assertEquals(Float.POSITIVE_INFINITY, exp(Float.POSITIVE_INFINITY));
        assertTrue(Float.isNaN(exp(Float.NaN)));
    }

    @Test
    void sumIsTheSumOfAllLanes() {
        var values = new float[VectorMath.LANES];
        for (int i = 0; i < values.length; i++) values[i] = 1 << i;
        assertEquals((1 << values.length) - 1, VectorMath.sum(FloatVector.fromArray(VectorMath.SPECIES, values, 0)));
    }
}
