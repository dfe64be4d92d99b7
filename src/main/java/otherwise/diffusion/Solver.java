package otherwise.diffusion;

import otherwise.tensor.Tensor;

/// Follows a flow from noise to data along a schedule, asking for one velocity a step.
public interface Solver {

    /// Sees the sample after every step.
    @FunctionalInterface
    interface Listener {
        /// Nobody.
        Listener NONE = (step, x) -> {};

        /// @param x the sample at the level after step `step`, counted from 0
        void stepped(int step, Tensor x);
    }

    /// From noise `x` to data: all steps of the schedule.
    Tensor integrate(Velocity velocity, Tensor x, FlowSchedule schedule, Listener listener);

    /// As above, watched by nobody.
    default Tensor integrate(Velocity velocity, Tensor x, FlowSchedule schedule) {
        return integrate(velocity, x, schedule, Listener.NONE);
    }
}
