package otherwise.diffusion;

import java.util.Arrays;

/// The noise levels σ₀ = 1 > σ₁ > … > σₙ = 0 at which a flow is followed from noise to data: x_σ = (1 − σ)·data + σ·noise.
///
/// A schedule is shifted towards the noise, where most is decided (Esser et al. 2024, eq. 23): σ ← s·σ / (1 + (s − 1)·σ).
public record FlowSchedule(double[] sigmas) {

    /// The network's time runs from 1000 (noise) to 0 (data).
    public static final double TIMES = 1000;

    /// @throws IllegalArgumentException unless there are at least two levels, falling, none negative
    public FlowSchedule {
        sigmas = sigmas.clone();
        if (sigmas.length < 2) throw new IllegalArgumentException("a schedule needs a step: " + Arrays.toString(sigmas));
        for (int i = 0; i < sigmas.length; i++) {
            boolean falls = i == 0 || sigmas[i] < sigmas[i - 1];
            if (!falls || !(sigmas[i] >= 0)) throw new IllegalArgumentException("noise levels must fall to 0: " + Arrays.toString(sigmas));
        }
    }

    /// `steps` even steps from 1 to 0, shifted.
    ///
    /// @throws IllegalArgumentException if `steps` < 1 or `shift` is not positive
    public static FlowSchedule euler(int steps, double shift) {
        if (steps < 1) throw new IllegalArgumentException("steps must be at least 1, not " + steps);
        if (!(shift > 0) || Double.isInfinite(shift)) throw new IllegalArgumentException("shift must be positive, not " + shift);
        var sigmas = new double[steps + 1];
        for (int i = 0; i < steps; i++) sigmas[i] = shifted(1 - (double) i / steps, shift);
        return new FlowSchedule(sigmas);
    }

    /// The level that an unshifted one becomes. Training draws its levels through the same function.
    public static double shifted(double sigma, double shift) {
        return shift * sigma / (1 + (shift - 1) * sigma);
    }

    /// How many steps there are: one less than levels.
    public int steps() {
        return sigmas.length - 1;
    }

    /// The noise level before step `i`; that of `i = steps()` is the last.
    public double sigma(int i) {
        return sigmas[i];
    }

    /// The time that the network is told in step `i`: 1000·σᵢ.
    public double time(int i) {
        return TIMES * sigmas[i];
    }

    /// All levels, as a fresh array.
    @Override
    public double[] sigmas() {
        return sigmas.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof FlowSchedule s && Arrays.equals(sigmas, s.sigmas);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(sigmas);
    }

    @Override
    public String toString() {
        return Arrays.toString(sigmas);
    }
}
