package otherwise.diffusion;

import otherwise.autograd.Transient;
import otherwise.tensor.Tensor;

/// UniPC for flows (Zhao et al. 2023), as Wan has it: predicts data, second order, B(h) = eʰ − 1 ("bh2"), the first and the last step of first
/// order. With α = 1 − σ, λ = ln α − ln σ and m = x − σ·v, the data that a velocity points to, a step from s to t is
///
///     predicted   x ← (σₜ/σₛ)·x − αₜ·B·(m + ½·(m₋₁ − m)/r)                          h = λₜ − λₛ   B = e⁻ʰ − 1   r = (λ₋₁ − λₛ)/h
///     corrected   x ← (σₜ/σₛ)·x − αₜ·B·(m + ρ·(m₋₁ − m)/r + ρ′·(mₜ − m))            once mₜ is known, for the way to t
///
/// where m₋₁ and λ₋₁ belong to the level before s, and (ρ, ρ′) solves the 2×2 order conditions; of first order, ρ′ = ½ and no m₋₁.
public record UniPcSolver() implements Solver {

    @Override
    public Tensor integrate(Velocity velocity, Tensor x, FlowSchedule schedule, Listener listener) {
        Tensor before = null; // m two levels back
        Tensor last = null; // m one level back
        Tensor from = null; // the sample there, corrected
        int order = 0;
        for (int i = 0; i < schedule.steps(); i++) {
            var m = data(velocity, x, schedule, i);
            if (i > 0) x = corrected(new Step(schedule, i - 1), from, m, last, order == 2 ? before : null);
            order = i == 0 || i == schedule.steps() - 1 ? 1 : 2;
            from = x;
            x = predicted(new Step(schedule, i), x, m, order == 2 ? last : null);
            before = last;
            last = m;
            listener.stepped(i, x);
        }
        return x;
    }

    /// The data that the velocity at level `i` points to.
    static Tensor data(Velocity velocity, Tensor x, FlowSchedule schedule, int i) {
        return Transient.of(() -> x.sub(velocity.at(x, schedule.time(i)).times(schedule.sigma(i))));
    }

    private static Tensor predicted(Step step, Tensor x, Tensor m, Tensor before) {
        return Transient.of(() -> step.toward(before == null ? m : m.add(before.sub(m).times(0.5 / step.r())), x));
    }

    private static Tensor corrected(Step step, Tensor x, Tensor reached, Tensor m, Tensor before) {
        if (before == null) return Transient.of(() -> step.toward(m.add(reached.sub(m).times(0.5)), x));
        double h = -step.h();
        double b = step.growth();
        double first = b / h - 1;
        double b1 = first / b;
        double b2 = 2 * (first / h - 0.5) / b;
        double r = step.r();
        // ρ + ρ′ = b₁   r·ρ + ρ′ = b₂
        double rho = (b1 - b2) / (1 - r);
        return Transient.of(() -> step.toward(m.add(before.sub(m).times(rho / r)).add(reached.sub(m).times(b1 - rho)), x));
    }

    /// From level `i` of a schedule to the next.
    private record Step(FlowSchedule schedule, int i) {

        double h() {
            return lambda(i + 1) - lambda(i);
        }

        /// B = e⁻ʰ − 1
        double growth() {
            return Math.expm1(-h());
        }

        double r() {
            return (lambda(i - 1) - lambda(i)) / h();
        }

        /// (σₜ/σₛ)·x − αₜ·B·data
        Tensor toward(Tensor data, Tensor x) {
            double t = schedule.sigma(i + 1);
            return x.times(t / schedule.sigma(i)).sub(data.times((1 - t) * growth()));
        }

        private double lambda(int k) {
            return schedule.logSnr(k);
        }
    }
}
