package otherwise.diffusion;

import otherwise.autograd.Checkpoint;
import otherwise.autograd.Transient;
import otherwise.tensor.Tensor;

/// Follows a flow by straight steps. Differentiable from end to end.
///
///     x ← x + (σᵢ₊₁ − σᵢ) · v(x, 1000·σᵢ)
///
/// @param checkpointed whether a step keeps only its result and is computed again on the way back: memory no longer grows with the
///     network's activations times the steps
public record EulerSolver(boolean checkpointed) implements Solver {

    @Override
    public Tensor integrate(Velocity velocity, Tensor x, FlowSchedule schedule, Listener listener) {
        for (int i = 0; i < schedule.steps(); i++) {
            x = step(velocity, x, schedule, i);
            listener.stepped(i, x);
        }
        return x;
    }

    /// Step `i` alone: the sample at σᵢ → the sample at σᵢ₊₁.
    public Tensor step(Velocity velocity, Tensor x, FlowSchedule schedule, int i) {
        double by = schedule.sigma(i + 1) - schedule.sigma(i);
        if (!checkpointed || velocity.recomputes()) return moved(velocity, x, schedule.time(i), by);
        return Checkpoint.of(() -> moved(velocity, x, schedule.time(i), by));
    }

    private static Tensor moved(Velocity velocity, Tensor x, double t, double by) {
        return Transient.of(() -> x.add(velocity.at(x, t).times(by)));
    }
}
