package otherwise.explain;

import java.util.function.ToDoubleFunction;
import otherwise.backend.Backend;
import otherwise.backend.Scope;
import otherwise.diffusion.EulerSolver;
import otherwise.diffusion.FlowSchedule;
import otherwise.diffusion.Velocity;
import otherwise.tensor.Random;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// Where z_T begins. Nothing here needs a way back.
///
/// @param velocity the flow of the original's first frame
/// @param source the original's latent
/// @param schedule all N steps
/// @param target the target's probability for the video of a latent
record StartNoise(
        BttfOptions options, Backend backend, Velocity velocity, Tensor source, FlowSchedule schedule, ToDoubleFunction<Tensor> target) {

    /// Corrections of each step against the flow: with them it is the inverse of the step along the flow.
    private static final int CORRECTIONS = 2;

    /// A noise of the latent's shape, in memory of its own.
    Tensor make() {
        try (var _ = Tape.off()) {
            return switch (options.start()) {
                case RANDOM, INVERSION -> fresh(0);
                case REVERSE_ODE -> reversed();
                case BEST_OF -> bestOf();
                case PROMISING -> promising();
            };
        }
    }

    /// The `k`-th noise of the seed.
    private Tensor fresh(int k) {
        var random = options.noise() == BttfOptions.NoiseSource.TORCH ? Random.torch(options.seed() + k) : Random.philox(options.seed(), k);
        return random.normal(backend, source.shape().dims());
    }

    /// Plain generations of several noises go all ways that the first frame allows: the one that goes most surely the target's way needs the
    /// smallest change. Of those that the classifier calls the target already, the one closest to the original.
    private Tensor promising() {
        int best = 0;
        double likeliest = -1;
        double closest = Double.POSITIVE_INFINITY;
        for (int k = 0; k < options.candidates(); k++) {
            try (var _ = Scope.open()) {
                var latent = new EulerSolver(false).integrate(velocity, fresh(k), schedule);
                double probability = Math.min(options.schedule().threshold(), target.applyAsDouble(latent));
                double distance = latent.sub(source).abs().mean().item();
                if (probability > likeliest || probability == likeliest && distance < closest) {
                    likeliest = probability;
                    closest = distance;
                    best = k;
                }
            }
        }
        return fresh(best);
    }

    /// Plain generations from several noises all continue the same first frame; the one that moves like the original is the closest.
    private Tensor bestOf() {
        int best = 0;
        double closest = Double.POSITIVE_INFINITY;
        for (int k = 0; k < options.candidates(); k++) {
            try (var _ = Scope.open()) {
                var latent = new EulerSolver(false).integrate(velocity, fresh(k), schedule);
                double distance = latent.sub(source).abs().mean().item();
                if (distance < closest) {
                    closest = distance;
                    best = k;
                }
            }
        }
        return fresh(best);
    }

    /// From the original's latent up to noise: each Euler step x → x + Δ·v(x, t) undone by fixed-point iteration of x = y − Δ·v(x, t).
    /// Some fresh noise is mixed in, since inverted noise is smoother than what the generator was trained on.
    private Tensor reversed() {
        var y = source;
        for (int i = schedule.steps() - 1; i >= 0; i--) {
            try (var step = Scope.open()) {
                double by = schedule.sigma(i + 1) - schedule.sigma(i);
                var x = y;
                for (int k = 0; k <= CORRECTIONS; k++) x = y.sub(velocity.at(x, schedule.time(i)).times(by));
                step.keep(x.data());
                y = x;
            }
        }
        double kept = options.blend();
        return y.times(Math.sqrt(kept)).add(fresh(0).times(Math.sqrt(1 - kept)));
    }
}
