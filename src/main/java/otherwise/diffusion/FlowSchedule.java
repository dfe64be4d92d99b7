package otherwise.diffusion;

import java.util.Arrays;

/// The noise levels σ₀ = 1 > σ₁ > … > σₙ = 0 at which a flow is followed from noise to data: x_σ = (1 − σ)·data + σ·noise.
///
/// A schedule is shifted towards the noise, where most is decided (Esser et al. 2024, eq. 23): σ ← s·σ / (1 + (s − 1)·σ).
///
/// Times are what the network is told: 1000·σ, which the official code cuts to a whole number for some solvers. Those also keep their
/// levels in single precision.
///
/// @param sigmas noise levels, one more than steps
/// @param times one a step
public record FlowSchedule(double[] sigmas, double[] times) {

    /// The network's time runs from 1000 (noise) to 0 (data).
    public static final double TIMES = 1000;

    /// The first level of Wan's UniPC, 1 − 1/1000 in single precision: its scheduler is built without a shift.
    private static final double UNIPC_FIRST = (float) (1 - 1 / TIMES);

    /// @throws IllegalArgumentException unless there are at least two levels, falling, none negative, and a time for each but the last
    public FlowSchedule {
        sigmas = sigmas.clone();
        times = times.clone();
        if (times.length != sigmas.length - 1) {
            throw new IllegalArgumentException(times.length + " times for " + sigmas.length + " noise levels");
        }
        if (sigmas.length < 2) throw new IllegalArgumentException("a schedule needs a step: " + Arrays.toString(sigmas));
        for (int i = 0; i < sigmas.length; i++) {
            boolean falls = i == 0 || sigmas[i] < sigmas[i - 1];
            if (!falls || !(sigmas[i] >= 0)) throw new IllegalArgumentException("noise levels must fall to 0: " + Arrays.toString(sigmas));
        }
    }

    /// With the times 1000·σ.
    public FlowSchedule(double... sigmas) {
        this(sigmas, times(sigmas, false));
    }

    /// `steps` even steps from 1 to 0, shifted.
    ///
    /// @throws IllegalArgumentException if `steps` < 1 or `shift` is not positive
    public static FlowSchedule euler(int steps, double shift) {
        return new FlowSchedule(even(steps, 1, 0, shift));
    }

    /// The levels of Wan's UniPC (`FlowUniPCMultistepScheduler`): even from 0.999, shifted; whole times.
    ///
    /// @throws IllegalArgumentException if `steps` < 1 or `shift` is not positive
    public static FlowSchedule unipc(int steps, double shift) {
        return whole(even(steps, UNIPC_FIRST, 0, shift));
    }

    /// The levels of Wan's DPM++ (`FlowDPMSolverMultistepScheduler`): even from 1, shifted; whole times.
    ///
    /// @throws IllegalArgumentException if `steps` < 1 or `shift` is not positive
    public static FlowSchedule dpmPlusPlus(int steps, double shift) {
        return whole(even(steps, 1, 0, shift));
    }

    /// The levels of diffusers' `FlowMatchEulerDiscreteScheduler`: even from 1 down to the shifted 1/1000, that one included, and then shifted
    /// once more.
    ///
    /// @throws IllegalArgumentException if `steps` < 1 or `shift` is not positive
    public static FlowSchedule diffusersEuler(int steps, double shift) {
        require(steps, shift);
        double least = shifted(1 / TIMES, shift);
        var sigmas = new double[steps + 1];
        for (int i = 0; i < steps; i++) {
            sigmas[i] = (float) shifted(steps == 1 ? 1 : 1 - i * (1 - least) / (steps - 1), shift);
        }
        return new FlowSchedule(sigmas);
    }

    /// The levels of diffusers' `UniPCMultistepScheduler` with flow sigmas: even from 1 to 1/1000, the last left out, shifted; the first lowered
    /// by 1e-6, where the logarithm of 1 − σ is finite; whole times.
    ///
    /// @throws IllegalArgumentException if `steps` < 1 or `shift` is not positive
    public static FlowSchedule diffusersUnipc(int steps, double shift) {
        var sigmas = even(steps, 1, 1 / TIMES, shift);
        sigmas[0] -= 1e-6;
        return whole(sigmas);
    }

    /// `steps` levels from `first` down to `last`, which is left out, shifted; then 0. The sums are rounded as NumPy's `linspace` rounds
    /// them: where 1000·σ is nearly whole, that decides which way it is cut.
    private static double[] even(int steps, double first, double last, double shift) {
        require(steps, shift);
        double by = (last - first) / steps;
        var sigmas = new double[steps + 1];
        for (int i = 0; i < steps; i++) sigmas[i] = shifted(i * by + first, shift);
        return sigmas;
    }

    private static void require(int steps, double shift) {
        if (steps < 1) throw new IllegalArgumentException("steps must be at least 1, not " + steps);
        if (!(shift > 0) || Double.isInfinite(shift)) throw new IllegalArgumentException("shift must be positive, not " + shift);
    }

    private static FlowSchedule whole(double[] sigmas) {
        var times = times(sigmas, true);
        var single = new double[sigmas.length];
        for (int i = 0; i < single.length; i++) single[i] = (float) sigmas[i];
        return new FlowSchedule(single, times);
    }

    private static double[] times(double[] sigmas, boolean whole) {
        var times = new double[Math.max(0, sigmas.length - 1)];
        for (int i = 0; i < times.length; i++) times[i] = whole ? Math.floor(TIMES * sigmas[i]) : TIMES * sigmas[i];
        return times;
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

    /// The time that the network is told in step `i`.
    public double time(int i) {
        return times[i];
    }

    /// λ = ln(1 − σ) − ln σ at level `i`: −∞ at noise alone, ∞ at data.
    public double logSnr(int i) {
        return Math.log(1 - sigmas[i]) - Math.log(sigmas[i]);
    }

    /// All levels, as a fresh array.
    @Override
    public double[] sigmas() {
        return sigmas.clone();
    }

    /// All times, as a fresh array.
    @Override
    public double[] times() {
        return times.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof FlowSchedule s && Arrays.equals(sigmas, s.sigmas) && Arrays.equals(times, s.times);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(sigmas) + Arrays.hashCode(times);
    }

    @Override
    public String toString() {
        return Arrays.toString(sigmas);
    }
}
