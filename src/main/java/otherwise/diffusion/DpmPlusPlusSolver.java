package otherwise.diffusion;

import otherwise.autograd.Transient;
import otherwise.tensor.Tensor;

/// DPM-Solver++(2M) for flows (Lu et al. 2022, midpoint), as Wan has it: second order from the last two predictions of the data, the first and
/// the last step of first order. With α = 1 − σ, λ = ln α − ln σ and m = x − σ·v, a step from s to t is
///
///     x ← (σₜ/σₛ)·x − αₜ·(e⁻ʰ − 1)·(m + ½·(m − m₋₁)/r)         h = λₜ − λₛ   r = (λₛ − λ₋₁)/h
///
/// At σ = 1, λ is −∞; the limits of the formulas are what double arithmetic gives.
public record DpmPlusPlusSolver() implements Solver {

    @Override
    public Tensor integrate(Velocity velocity, Tensor x, FlowSchedule schedule, Listener listener) {
        Tensor last = null;
        for (int i = 0; i < schedule.steps(); i++) {
            var m = UniPcSolver.data(velocity, x, schedule, i);
            double h = schedule.logSnr(i + 1) - schedule.logSnr(i);
            boolean second = i > 0 && i < schedule.steps() - 1;
            // How far to lean on the difference of the last two: ½·h / (λₛ − λ₋₁)
            double lean = second ? 0.5 * h / (schedule.logSnr(i) - schedule.logSnr(i - 1)) : 0;
            double t = schedule.sigma(i + 1);
            double shrink = t / schedule.sigma(i);
            var from = x;
            var before = last;
            x = Transient.of(() -> {
                var data = second ? m.add(m.sub(before).times(lean)) : m;
                return from.times(shrink).sub(data.times((1 - t) * Math.expm1(-h)));
            });
            last = m;
            listener.stepped(i, x);
        }
        return x;
    }
}
