package otherwise.diffusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import otherwise.autograd.Gradients;
import otherwise.support.GradCheck;
import otherwise.support.Reference;
import otherwise.tensor.Tensor;

class EulerSolverTest {
    private final Reference backend = new Reference();

    @Test
    void levelsFallFromOneToZeroAndAreShifted() {
        assertArrayEquals(new double[] {1, .75, .5, .25, 0}, FlowSchedule.euler(4, 1).sigmas(), 1e-15);
        // 3·½ / (1 + 2·½)
        assertEquals(.75, FlowSchedule.euler(2, 3).sigma(1), 1e-15);
        assertEquals(750, FlowSchedule.euler(2, 3).time(1), 1e-12);
        assertThrows(IllegalArgumentException.class, () -> FlowSchedule.euler(0, 3));
        assertThrows(IllegalArgumentException.class, () -> FlowSchedule.euler(3, -1));
        assertThrows(IllegalArgumentException.class, () -> FlowSchedule.euler(3, Double.NaN));
        assertThrows(IllegalArgumentException.class, () -> new FlowSchedule(new double[] {1, 1, 0}));
    }

    /// Along a straight flow, v = noise − data, any number of steps ends exactly at the data.
    @Test
    void aStraightFlowEndsAtTheData() {
        var noise = GradCheck.normal(backend, 1, 3, 4);
        var data = GradCheck.normal(backend, 2, 3, 4);
        Velocity straight = (x, t) -> noise.sub(data);
        for (int steps : new int[] {1, 2, 7}) {
            var y = new EulerSolver(false).integrate(straight, noise, FlowSchedule.euler(steps, 5));
            assertArrayEquals(data.doubles(), y.doubles(), 1e-12);
        }
    }

    @Test
    void checkpointingChangesNeitherResultNorGradient() {
        var noise = GradCheck.normal(backend, 1, 3, 4).variable();
        var w = GradCheck.normal(backend, 2, 4, 4).variable();
        Velocity network = (x, t) -> x.linear(w, null).tanh().times(t / 1000);
        var schedule = FlowSchedule.euler(5, 3);
        var whole = new EulerSolver(false).integrate(network, noise, schedule);
        var pieces = new EulerSolver(true).integrate(network, noise, schedule);
        assertArrayEquals(whole.doubles(), pieces.doubles());
        var a = Gradients.of(whole.square().sum());
        var b = Gradients.of(pieces.square().sum());
        for (var variable : new Tensor[] {noise, w}) assertArrayEquals(a.to(variable).doubles(), b.to(variable).doubles(), 1e-12);
    }
}
