package otherwise.explain;

/// All that [Bttf] can be told.
///
/// @param schedule how many iterations at how many denoising steps
/// @param keepBest whether the answer is the closest good video seen at n = N, instead of the one after the last iteration
/// @param start where z_T begins
/// @param candidates noises to choose from, for `BEST_OF` and `PROMISING`
/// @param blend share of the inverted noise (of its variance) that is kept, for `REVERSE_ODE`; the rest is fresh
/// @param noise which random numbers
/// @param seed of them
/// @param learningRate of AdamW
/// @param weightDecay of AdamW
/// @param reset when AdamW forgets what it has seen
/// @param clip longest gradient, as ‖g‖; 0 for any
/// @param lambda weight of the style loss, λ
/// @param prior what keeps z_T near the noise that the generator knows
/// @param priorWeight for `CHI`
/// @param shift of the noise schedule; 0 for the one that the generator was trained with
/// @param guidance scale of classifier-free guidance; 1 for none
/// @param offset where the classifier's clip begins
/// @param checkpointing what is computed twice to save memory
public record BttfOptions(
        BttfSchedule schedule,
        boolean keepBest,
        Start start,
        int candidates,
        double blend,
        NoiseSource noise,
        long seed,
        double learningRate,
        double weightDecay,
        Reset reset,
        double clip,
        double lambda,
        Prior prior,
        double priorWeight,
        double shift,
        double guidance,
        Offset offset,
        Checkpointing checkpointing) {

    /// Where z_T begins.
    public enum Start {
        /// At fresh noise.
        RANDOM,
        /// At fresh noise, moved in stage 1 until one denoising step leads to the original's latent (the paper's way).
        INVERSION,
        /// At the noise from which all N steps lead to the original, found by following the flow backwards.
        REVERSE_ODE,
        /// At the one of several noises whose plain generation is closest to the original.
        BEST_OF,
        /// At the one of several noises whose plain generation the classifier takes for the target, or nearly.
        PROMISING
    }

    /// Which random numbers: counter-based ones, or those of PyTorch after `manual_seed`.
    public enum NoiseSource {
        PHILOX,
        TORCH
    }

    /// When the optimiser's moments are set back to zero.
    public enum Reset {
        NEVER,
        /// Between inversion and search.
        STAGE,
        /// Whenever n changes, too.
        STEPS
    }

    /// What keeps z_T near the noise that the generator knows.
    public enum Prior {
        /// Nothing, as in the paper.
        NONE,
        /// The negative log-density of the length of Gaussian noise: ½‖z‖² − (d−1)·log‖z‖ (as in ReNO).
        CHI,
        /// After every step z_T is brought back to the length it began with (as in DOODL).
        RENORM
    }

    /// Where the classifier's clip begins.
    public enum Offset {
        FIRST,
        SECOND,
        /// At the first and the second frame by turns, so that every frame gets a gradient. Judged at the first.
        ALTERNATE;

        /// The offset of an iteration, counted from 0.
        public int of(int iteration) {
            return switch (this) {
                case FIRST -> 0;
                case SECOND -> 1;
                case ALTERNATE -> iteration % 2;
            };
        }

        /// The offset at which results are judged.
        public int judged() {
            return this == SECOND ? 1 : 0;
        }
    }

    /// @throws IllegalArgumentException naming a value out of range
    public BttfOptions {
        if (candidates < 1) throw new IllegalArgumentException("there must be at least 1 candidate, not " + candidates);
        if (!(blend >= 0 && blend <= 1)) throw new IllegalArgumentException("blend must be between 0 and 1, not " + blend);
        if (!(learningRate > 0)) throw new IllegalArgumentException("the learning rate must be positive, not " + learningRate);
        if (!(guidance >= 0)) throw new IllegalArgumentException("the guidance scale must not be negative: " + guidance);
        if (!(weightDecay >= 0 && clip >= 0 && lambda >= 0 && priorWeight >= 0 && shift >= 0)) {
            throw new IllegalArgumentException("weight decay " + weightDecay + ", clip " + clip + ", lambda " + lambda + ", prior weight "
                    + priorWeight + ", shift " + shift + ": none may be negative");
        }
        boolean inverts = start == Start.INVERSION;
        if (inverts != schedule.inversion() > 0) {
            throw new IllegalArgumentException("start " + start + " with " + schedule.inversion() + " inversion iterations");
        }
    }

    /// As the paper prints it. What it does not print: learning rate (0.03), no gradient clipping, no guidance, the clip from frame 0 on.
    public static BttfOptions paper() {
        return new BttfOptions(
                BttfSchedule.paper(), false, Start.RANDOM, 8, 0.95, NoiseSource.PHILOX, 0, 0.03, 0.01, Reset.NEVER, 0, 1e5, Prior.NONE, 0.01, 0,
                1, Offset.FIRST, Checkpointing.NESTED);
    }

    /// What works best in little time.
    public static BttfOptions standard() {
        return new BttfOptions(
                BttfSchedule.standard(), true, Start.PROMISING, 8, 0.95, NoiseSource.PHILOX, 0, 0.03, 0, Reset.NEVER, 0, 1e5, Prior.NONE, 0.01, 0,
                1, Offset.FIRST, Checkpointing.NONE);
    }

    /// The same, all of it at n = N.
    public static BttfOptions straight() {
        return standard().with(BttfSchedule.straight());
    }

    /// The same with another schedule. Stage 1 belongs to the start `INVERSION`, which is set or left accordingly.
    public BttfOptions with(BttfSchedule other) {
        var begin = other.inversion() > 0 ? Start.INVERSION : start == Start.INVERSION ? Start.RANDOM : start;
        return new BttfOptions(
                other, keepBest, begin, candidates, blend, noise, seed, learningRate, weightDecay, reset, clip, lambda, prior, priorWeight,
                shift, guidance, offset, checkpointing);
    }

    /// The same with another seed.
    public BttfOptions withSeed(long other) {
        return new BttfOptions(
                schedule, keepBest, start, candidates, blend, noise, other, learningRate, weightDecay, reset, clip, lambda, prior, priorWeight,
                shift, guidance, offset, checkpointing);
    }

    /// The same with another start. Stage 1 is left out unless it is `INVERSION`, which gets `iterations` of it.
    public BttfOptions with(Start other, int iterations) {
        var s = schedule;
        var fitting = new BttfSchedule(
                s.mode(), other == Start.INVERSION ? iterations : 0, s.iterations(), s.steps(), s.threshold(), s.hold(), s.finish());
        return new BttfOptions(
                fitting, keepBest, other, candidates, blend, noise, seed, learningRate, weightDecay, reset, clip, lambda, prior, priorWeight,
                shift, guidance, offset, checkpointing);
    }

    /// The same with another weight of the style loss.
    public BttfOptions withLambda(double other) {
        return new BttfOptions(
                schedule, keepBest, start, candidates, blend, noise, seed, learningRate, weightDecay, reset, clip, other, prior, priorWeight,
                shift, guidance, offset, checkpointing);
    }

    /// The same with another learning rate.
    public BttfOptions withLearningRate(double other) {
        return new BttfOptions(
                schedule, keepBest, start, candidates, blend, noise, seed, other, weightDecay, reset, clip, lambda, prior, priorWeight,
                shift, guidance, offset, checkpointing);
    }

    /// The same with another way to save memory.
    public BttfOptions with(Checkpointing other) {
        return new BttfOptions(
                schedule, keepBest, start, candidates, blend, noise, seed, learningRate, weightDecay, reset, clip, lambda, prior, priorWeight,
                shift, guidance, offset, other);
    }

    /// All of it at its largest, and as little of it as shows what memory it takes: one candidate, and two iterations a stage, the last ones
    /// at n = N. The second may take more than the first, where the clip begins elsewhere.
    BttfOptions rehearsal() {
        var s = schedule;
        var fewest = new BttfSchedule(
                BttfSchedule.Mode.STRAIGHT, Math.min(2, s.inversion()), 2, s.steps(), s.threshold(), s.hold(), s.finish());
        return new BttfOptions(
                fewest, keepBest, start, 1, blend, noise, seed, learningRate, weightDecay, reset, clip, lambda, prior, priorWeight,
                shift, guidance, offset, checkpointing);
    }
}
