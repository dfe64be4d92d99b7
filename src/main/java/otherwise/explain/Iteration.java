package otherwise.explain;

import java.util.List;
import java.util.Locale;

/// One line of a run's log.
///
/// @param index from 1 on
/// @param stage what was being done: `inversion`, `counterfactual`
/// @param steps denoising steps n
/// @param inversion, crossEntropy, style, prior the parts of the loss, each with its weight; 0 where it takes no part
/// @param targetProbability of the decoded video, `sourceProbability` likewise; NaN in a stage that does not ask the classifier
/// @param noise ‖z_T‖/√d before the step: 1 for fresh noise
/// @param gradient length of the gradient before clipping
/// @param distance mean difference of the 8-bit video to the original, 0 … 1; NaN unless n is the last
/// @param seconds that it took
public record Iteration(
        int index,
        String stage,
        int steps,
        double inversion,
        double crossEntropy,
        double style,
        double prior,
        double targetProbability,
        double sourceProbability,
        double noise,
        double gradient,
        double distance,
        double seconds) {

    /// The names of the columns of [#csv].
    public static final List<String> COLUMNS = List.of(
            "iteration", "stage", "n", "inversion", "cross_entropy", "style", "prior", "p_target", "p_source", "noise_norm",
            "gradient_norm",
            "distance", "seconds");

    /// The sum of the parts.
    public double loss() {
        return inversion + crossEntropy + style + prior;
    }

    /// The values in the order of [#COLUMNS], separated by commas; numbers so that reading them gives the same numbers.
    public String csv() {
        return index + "," + stage + "," + steps + "," + inversion + "," + crossEntropy + "," + style + "," + prior + ","
                + targetProbability
                + "," + sourceProbability + "," + noise + "," + gradient + "," + distance + ","
                + String.format(Locale.ROOT, "%.4f", seconds);
    }

    /// Reads a line of [#csv].
    ///
    /// @throws IllegalArgumentException if it is none
    public static Iteration parse(String csv) {
        var v = csv.split(",", -1);
        if (v.length != COLUMNS.size()) throw new IllegalArgumentException("no iteration has " + v.length + " columns: " + csv);
        return new Iteration(
                Integer.parseInt(v[0]), v[1], Integer.parseInt(v[2]), Double.parseDouble(v[3]), Double.parseDouble(v[4]),
                Double.parseDouble(v[5]), Double.parseDouble(v[6]), Double.parseDouble(v[7]), Double.parseDouble(v[8]),
                Double.parseDouble(v[9]), Double.parseDouble(v[10]), Double.parseDouble(v[11]), Double.parseDouble(v[12]));
    }
}
