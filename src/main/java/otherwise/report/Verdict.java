package otherwise.report;

import java.util.List;
import java.util.Locale;

/// The verdict on a counterfactual, made of the two rows of probabilities and nothing else.
///
/// Left of the arrow stand the source class and what the original has of it. Right of it stands the class that is now the most probable,
/// which need not be the one asked for, and what the counterfactual has of it:
///
///     up 0.99 → left 0.97                            the target wins: flipped
///     up 0.99 → up 0.83, left 0.12: not flipped      it does not: its own probability follows
///
/// Of equally probable classes the first counts, so a tie between source and target is decided by their order alone. Probabilities have
/// two decimals, and are never rounded to a certainty: `>0.99` and `<0.01` stand for what lies between.
///
/// @param source the class of the original; `before` its probability there
/// @param outcome the most probable class of the counterfactual; `after` its probability there
/// @param target the class that was asked for; `targetAfter` its probability in the counterfactual
public record Verdict(String source, double before, String outcome, double after, String target, double targetAfter, boolean flipped) {

    static Verdict of(List<String> classes, double[] before, double[] after, int source, int target) {
        int outcome = 0;
        for (int k = 1; k < after.length; k++) {
            if (after[k] > after[outcome]) outcome = k;
        }
        return new Verdict(
                classes.get(source),
                before[source],
                classes.get(outcome),
                after[outcome],
                classes.get(target),
                after[target],
                outcome == target);
    }

    /// `up 0.99 → left 0.97`.
    public String headline() {
        return sentence("→");
    }

    /// The same for a terminal, in ASCII, and what else is to be said: `up 0.99 -> left 0.97, SSIM 0.95, 74 s`.
    public String line(String... details) {
        return sentence("->") + (details.length == 0 ? "" : ", " + String.join(", ", details));
    }

    private String sentence(String arrow) {
        var outcomes = source + " " + probability(before) + " " + arrow + " " + outcome + " " + probability(after);
        return flipped ? outcomes : outcomes + ", " + target + " " + probability(targetAfter) + ": not flipped";
    }

    /// `p` with two decimals, and `>0.99` or `<0.01` where that would claim certainty.
    public static String probability(double p) {
        if (Double.isNaN(p)) return "?";
        if (p < 1 && p >= 0.995) return ">0.99";
        if (p > 0 && p < 0.005) return "<0.01";
        return String.format(Locale.ROOT, "%.2f", p);
    }
}
