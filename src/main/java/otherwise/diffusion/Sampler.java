package otherwise.diffusion;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/// A solver with the schedule that belongs to it, by the name under which it is chosen.
public enum Sampler {
    /// Straight steps, even before the shift. What the explanation methods differentiate.
    EULER,
    /// The official default: second order, corrected by each new velocity.
    UNIPC,
    /// The other official one: second order, multistep.
    DPM_PLUS_PLUS,
    /// Euler on the levels of diffusers' `FlowMatchEulerDiscreteScheduler`.
    DIFFUSERS_EULER,
    /// UniPC on the levels of diffusers' `UniPCMultistepScheduler` with flow sigmas.
    DIFFUSERS_UNIPC;

    public Solver solver() {
        return switch (this) {
            case EULER, DIFFUSERS_EULER -> new EulerSolver(false);
            case UNIPC, DIFFUSERS_UNIPC -> new UniPcSolver();
            case DPM_PLUS_PLUS -> new DpmPlusPlusSolver();
        };
    }

    /// The noise levels, and the times that the network is told.
    ///
    /// @throws IllegalArgumentException if `steps` < 1 or `shift` is not positive
    public FlowSchedule schedule(int steps, double shift) {
        return switch (this) {
            case EULER -> FlowSchedule.euler(steps, shift);
            case UNIPC -> FlowSchedule.unipc(steps, shift);
            case DPM_PLUS_PLUS -> FlowSchedule.dpmPlusPlus(steps, shift);
            case DIFFUSERS_EULER -> FlowSchedule.diffusersEuler(steps, shift);
            case DIFFUSERS_UNIPC -> FlowSchedule.diffusersUnipc(steps, shift);
        };
    }

    /// `euler`, `unipc`, `dpm++`, `diffusers-euler`, `diffusers-unipc`
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace("_plus_plus", "++").replace('_', '-');
    }

    /// @throws IllegalArgumentException naming all samplers, if there is none of this name
    public static Sampler named(String name) {
        for (var sampler : values()) if (sampler.toString().equals(name)) return sampler;
        throw new IllegalArgumentException("no solver '" + name + "': " + names());
    }

    /// All names, for a person.
    public static String names() {
        return Arrays.stream(values()).map(Sampler::toString).collect(Collectors.joining(", "));
    }
}
