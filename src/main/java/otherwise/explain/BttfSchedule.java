package otherwise.explain;

/// How many denoising steps n each iteration of [Bttf] takes, and when it is over.
///
/// Motion is decided at small n, where an iteration is cheap; what was found there survives more steps. So n grows from 1 to N.
///
/// @param mode how the iterations are shared out
/// @param inversion iterations of stage 1, K_I, at n = 1
/// @param iterations of stage 2, K_C: for each n where the mode is `EACH`, else in total
/// @param steps the last n, N
/// @param threshold a probability of the target that counts as reached, τ
/// @param hold how many iterations in a row it must be reached before n is left; the last of them leaves z_T as it is (see [#settles])
/// @param finish iterations kept for n = N
public record BttfSchedule(Mode mode, int inversion, int iterations, int steps, double threshold, int hold, int finish) {

    /// How the iterations of stage 2 are shared out.
    public enum Mode {
        /// As the paper prints it: as many for every n, and no end before that.
        EACH,
        /// A total. n is left when the target holds, or when half of what remains is used up; some are kept for N.
        BUDGET,
        /// All at n = N, until the target holds.
        STRAIGHT
    }

    /// What an iteration is for.
    public enum Stage {
        INVERSION,
        COUNTERFACTUAL,
        DONE
    }

    /// Where a run stands, before an iteration.
    ///
    /// @param n denoising steps of the iteration
    /// @param here iterations done at this n
    /// @param total iterations done in this stage
    /// @param held for how many iterations in a row the target was reached, up to now
    public record Position(Stage stage, int n, int here, int total, int held) {

        /// Whether there is no further iteration.
        public boolean done() {
            return stage == Stage.DONE;
        }
    }

    /// @throws IllegalArgumentException naming a value out of range
    public BttfSchedule {
        if (steps < 1) throw new IllegalArgumentException("steps must be at least 1, not " + steps);
        if (inversion < 0) throw new IllegalArgumentException("inversion iterations cannot be negative: " + inversion);
        if (iterations < 1) throw new IllegalArgumentException("iterations must be at least 1, not " + iterations);
        if (!(threshold > 0 && threshold < 1)) throw new IllegalArgumentException("tau must be between 0 and 1, not " + threshold);
        if (hold < 1 || finish < 1) throw new IllegalArgumentException("hold and finish must be at least 1, not " + hold + " and " + finish);
    }

    /// As the paper prints it (Alg. 1, Tab. S1): 100 iterations for each n = 1 … 15.
    public static BttfSchedule paper() {
        return new BttfSchedule(Mode.EACH, 0, 100, 15, 0.9, 2, 1);
    }

    /// What a processor can afford.
    public static BttfSchedule standard() {
        return new BttfSchedule(Mode.BUDGET, 0, 60, 15, 0.9, 1, 1);
    }

    /// The same, all of it at n = N.
    public static BttfSchedule straight() {
        return new BttfSchedule(Mode.STRAIGHT, 0, 60, 15, 0.9, 1, 1);
    }

    /// The most iterations there can be.
    public int atMost() {
        return inversion + (mode == Mode.EACH ? iterations * steps : Math.max(iterations, 1));
    }

    /// Before the first iteration.
    public Position start() {
        return inversion > 0 ? new Position(Stage.INVERSION, 1, 0, 0, 0) : counterfactual();
    }

    private Position counterfactual() {
        return new Position(Stage.COUNTERFACTUAL, mode == Mode.STRAIGHT ? steps : 1, 0, 0, 0);
    }

    /// After an iteration at `p`.
    ///
    /// @param probability of the target; not looked at in the inversion
    public Position after(Position p, double probability) {
        return switch (p.stage) {
            case DONE -> p;
            case INVERSION -> p.total + 1 < inversion ? new Position(p.stage, 1, p.here + 1, p.total + 1, 0) : counterfactual();
            case COUNTERFACTUAL -> {
                int held = probability >= threshold ? p.held + 1 : 0;
                int next = nextN(p.n, p.here + 1, p.total + 1, held);
                if (next > steps) yield new Position(Stage.DONE, steps, p.here + 1, p.total + 1, held);
                yield new Position(p.stage, next, next == p.n ? p.here + 1 : 0, p.total + 1, held);
            }
        };
    }

    /// Whether an iteration at `p` found what it was for: n is left because the target holds, not because its share is used up. z_T is then
    /// good as it is. AdamW's steps are as long for a tiny gradient as for a large one, so every step that is not needed takes z_T away from
    /// the noise that the generator knows, and the object's shape goes first.
    public boolean settles(Position p, double probability) {
        if (p.stage != Stage.COUNTERFACTUAL || mode == Mode.EACH || !(probability >= threshold)) return false;
        return p.held + 1 >= hold && (p.n < steps || p.here + 1 >= Math.min(finish, iterations));
    }

    private int nextN(int n, int here, int total, int held) {
        if (mode == Mode.EACH) return here < iterations ? n : n + 1;
        if (n == steps) {
            boolean enough = held >= hold && here >= Math.min(finish, iterations);
            return enough || total >= iterations ? n + 1 : n;
        }
        // Half of what is left, less what is kept for N and one for each n on the way: motion is decided while n is small.
        int left = iterations - finish - (total - here);
        boolean used = here >= Math.max(1, (left - (steps - 1 - n) + 1) / 2);
        if (held < hold && !used) return n;
        // With fewer iterations than n's some are skipped, evenly; at least the last one is always at N.
        int remaining = Math.min(iterations - finish - total, steps - 1 - n);
        return remaining <= 0 ? steps : n + (steps - n + remaining) / (remaining + 1);
    }
}
