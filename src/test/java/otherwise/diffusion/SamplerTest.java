package otherwise.diffusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.api.Test;
import otherwise.support.GradCheck;
import otherwise.support.Reference;
import otherwise.tensor.Tensor;

/// Their numbers are proven by the golden files; here: what they are for.
class SamplerTest {
    private final Reference backend = new Reference();

    /// Along a straight flow every solver ends at the data, from wherever its schedule begins.
    @ParameterizedTest
    @EnumSource
    void aStraightFlowEndsAtTheData(Sampler sampler) {
        var noise = GradCheck.normal(backend, 1, 3, 4);
        var data = GradCheck.normal(backend, 2, 3, 4);
        for (int steps : new int[] {1, 2, 3, 9}) {
            var schedule = sampler.schedule(steps, 5);
            double first = schedule.sigma(0);
            var seen = new ArrayList<Integer>();
            var start = data.times(1 - first).add(noise.times(first));
            var end = sampler.solver().integrate((x, t) -> noise.sub(data), start, schedule, (i, x) -> seen.add(i));
            assertArrayEquals(data.doubles(), end.doubles(), 1e-9);
            assertEquals(steps, seen.size());
        }
    }

    /// dx/dσ = 2x: from the same number of velocities, the multistep solvers get much closer.
    @Test
    void secondOrderIsCloserThanEuler() {
        double euler = error(Sampler.EULER, 32);
        for (var sampler : new Sampler[] {Sampler.UNIPC, Sampler.DPM_PLUS_PLUS}) {
            double coarse = error(sampler, 16);
            double fine = error(sampler, 32);
            assertTrue(fine < euler / 3, sampler + ": " + fine + " against Euler's " + euler);
            assertTrue(fine < coarse / 1.5, sampler + ": " + coarse + " only fell to " + fine);
        }
    }

    private double error(Sampler sampler, int steps) {
        var x = Tensor.full(backend, 1, 1);
        var schedule = sampler.schedule(steps, 1);
        double end = sampler.solver().integrate((sample, t) -> sample.times(2), x, schedule).item();
        return Math.abs(end - Math.exp(-2 * schedule.sigma(0)));
    }

    @Test
    void namesAreThoseOfTheCommandLine() {
        for (var sampler : Sampler.values()) assertEquals(sampler, Sampler.named(sampler.toString()));
        assertEquals(Sampler.DPM_PLUS_PLUS, Sampler.named("dpm++"));
        var unknown = assertThrows(IllegalArgumentException.class, () -> Sampler.named("heun"));
        assertTrue(unknown.getMessage().contains("'heun'") && unknown.getMessage().contains("diffusers-unipc"));
        assertThrows(IllegalArgumentException.class, () -> Sampler.UNIPC.schedule(0, 3));
        assertThrows(IllegalArgumentException.class, () -> Sampler.DIFFUSERS_EULER.schedule(3, -1));
    }
}
