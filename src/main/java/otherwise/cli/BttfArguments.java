package otherwise.cli;

import otherwise.explain.BttfOptions;
import otherwise.explain.BttfOptions.NoiseSource;
import otherwise.explain.BttfOptions.Offset;
import otherwise.explain.BttfOptions.Prior;
import otherwise.explain.BttfOptions.Reset;
import otherwise.explain.BttfOptions.Start;
import otherwise.explain.BttfSchedule;
import otherwise.explain.Checkpointing;
import picocli.CommandLine.Option;

/// What BTTF can be told on the command line: a preset, and changes to it.
final class BttfArguments {
    private enum Preset {
        DEFAULT,
        PAPER,
        STRAIGHT
    }

    @Option(
            names = "--preset",
            defaultValue = "default",
            paramLabel = "NAME",
            description = {
                "default: a budget, n grows as soon as the target holds; paper: as printed, 100 iterations for each n;",
                "straight: all at n = N (default: ${DEFAULT-VALUE})."
            })
    private Preset preset;

    @Option(names = "--k", paramLabel = "N", description = "Iterations K_C: in all, or for each n with --preset paper.")
    private Integer iterations;

    @Option(names = "--k-inversion", paramLabel = "N", description = "Iterations K_I of --start inversion.")
    private Integer inversion;

    @Option(names = "--steps", paramLabel = "N", description = "The last number of denoising steps, N.")
    private Integer steps;

    @Option(names = "--start", paramLabel = "NAME",
            description = "Where the noise begins: random, inversion, reverse_ode, best_of or promising.")
    private Start start;

    @Option(names = "--candidates", paramLabel = "N", description = "Noises to choose from with --start best_of or promising.")
    private Integer candidates;

    @Option(names = "--lambda", paramLabel = "X", description = "Weight of the style loss.")
    private Double lambda;

    @Option(names = "--lr", paramLabel = "RATE", description = "Learning rate of AdamW on the noise.")
    private Double rate;

    @Option(names = "--weight-decay", paramLabel = "X", description = "Weight decay of AdamW.")
    private Double decay;

    @Option(names = "--tau", paramLabel = "P", description = "The target's probability that counts as reached.")
    private Double tau;

    @Option(names = "--seed", defaultValue = "0", paramLabel = "N", description = "Seed of the noise (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--noise", paramLabel = "NAME", description = "philox, or torch: what PyTorch draws after manual_seed.")
    private NoiseSource noise;

    @Option(names = "--shift", paramLabel = "S", description = "Shift of the noise schedule (default: the generator's).")
    private Double shift;

    @Option(names = "--cfg", paramLabel = "SCALE", description = "Classifier-free guidance; 1 is without.")
    private Double guidance;

    @Option(names = "--offset", paramLabel = "NAME", description = "Where the classifier's clip begins: first, second or alternate.")
    private Offset offset;

    @Option(names = "--clip-gradient", paramLabel = "NORM", description = "Longest gradient; 0 for any.")
    private Double clip;

    @Option(names = "--prior", paramLabel = "NAME", description = "What keeps the noise noise-like: none, chi or renorm.")
    private Prior prior;

    @Option(names = "--prior-weight", paramLabel = "X", description = "Weight of --prior chi.")
    private Double priorWeight;

    @Option(names = "--reset", paramLabel = "NAME", description = "When AdamW forgets: never, stage or steps.")
    private Reset reset;

    @Option(names = "--checkpointing", paramLabel = "NAME", description = "What is computed twice to save memory: none, steps or nested.")
    private Checkpointing checkpointing;

    /// @throws IllegalArgumentException naming a value out of range
    BttfOptions options() {
        var o = switch (preset) {
            case DEFAULT -> BttfOptions.standard();
            case PAPER -> BttfOptions.paper();
            case STRAIGHT -> BttfOptions.straight();
        };
        var begin = or(start, o.start());
        // The paper's K_I is 40 where it inverts at all (Tab. S1).
        int inverting = begin == Start.INVERSION ? or(inversion, 40) : 0;
        if (inversion != null && begin != Start.INVERSION) throw new IllegalArgumentException("--k-inversion belongs to --start inversion");
        var s = o.schedule();
        var schedule = new BttfSchedule(
                s.mode(), inverting, or(iterations, s.iterations()), or(steps, s.steps()), or(tau, s.threshold()), s.hold(), s.finish());
        return new BttfOptions(
                schedule,
                o.keepBest(),
                begin,
                or(candidates, o.candidates()),
                o.blend(),
                or(noise, o.noise()),
                seed,
                or(rate, o.learningRate()),
                or(decay, o.weightDecay()),
                or(reset, o.reset()),
                or(clip, o.clip()),
                or(lambda, o.lambda()),
                or(prior, o.prior()),
                or(priorWeight, o.priorWeight()),
                or(shift, o.shift()),
                or(guidance, o.guidance()),
                or(offset, o.offset()),
                or(checkpointing, o.checkpointing()));
    }

    private static <T> T or(T given, T otherwise) {
        return given != null ? given : otherwise;
    }
}
