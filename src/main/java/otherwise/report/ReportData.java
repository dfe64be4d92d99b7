package otherwise.report;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import otherwise.io.Video;

/// Everything that a report shows, as plain data: whoever ran the method fills it in, so that a report can be made of any method's result.
/// Maps keep their order, which is the order on the page.
///
/// @param title what the page is called, say `up → left`
/// @param question what was asked, say `Why up and not left?`
/// @param original what the classifier was shown
/// @param counterfactual the closest clip of the target class, as 8-bit video, of the same frames and size
/// @param classes names of the K classes
/// @param before probabilities `[K]` of the original
/// @param after probabilities `[K]` of the counterfactual
/// @param source index of the class that the classifier gives the original
/// @param target index of the class that was asked for
/// @param iterations the log, oldest first; may be empty
/// @param kept index into `iterations` of the one whose clip the counterfactual is, their number for the clip after the last one, or -1 if
///     that is not known
/// @param options every option of the run and its value
/// @param provenance what else the result depends on: seed, hashes of weights and inputs, versions, device
/// @param command the command line that makes this result again
/// @param figures how good the result is, by name: `SSIM`, `PSNR (dB)`, `LPIPS` …
/// @param timings seconds by part of the run; parts do not overlap, so that they add up
public record ReportData(
        String title,
        String question,
        Video original,
        Video counterfactual,
        List<String> classes,
        double[] before,
        double[] after,
        int source,
        int target,
        List<Iteration> iterations,
        int kept,
        Map<String, String> options,
        Map<String, String> provenance,
        String command,
        Map<String, Double> figures,
        Map<String, Double> timings) {

    /// One iteration of the method's log. Losses need not be the same in all iterations: a curve has a gap where it has no value.
    ///
    /// @param stage which part of the method: `inversion`, `counterfactual` …
    /// @param n sampling steps of the generator in this iteration
    /// @param targetProbability what the classifier gives the target, or NaN where it was not asked; `sourceProbability` likewise
    /// @param losses each part of the loss that counts in this iteration, by name
    /// @param figures what else was logged by name, say the latent's norm
    public record Iteration(
            String stage,
            int n,
            double targetProbability,
            double sourceProbability,
            Map<String, Double> losses,
            Map<String, Double> figures,
            double seconds) {

        public Iteration {
            losses = inOrder(losses);
            figures = inOrder(figures);
        }
    }

    /// @throws IllegalArgumentException if the videos differ in size, the probabilities are not one a class, or an index has nothing to point to
    public ReportData {
        if (original.frames() != counterfactual.frames()
                || original.height() != counterfactual.height()
                || original.width() != counterfactual.width()) {
            throw new IllegalArgumentException("original and counterfactual differ in size: " + original + ", " + counterfactual);
        }
        if (before.length != classes.size() || after.length != classes.size()) {
            throw new IllegalArgumentException("%d classes, but %d probabilities before and %d after"
                    .formatted(classes.size(), before.length, after.length));
        }
        if (Math.min(source, target) < 0 || Math.max(source, target) >= classes.size()) {
            throw new IllegalArgumentException("source %d, target %d: there are %d classes".formatted(source, target, classes.size()));
        }
        if (kept < -1 || kept > iterations.size()) {
            throw new IllegalArgumentException("kept iteration %d of %d".formatted(kept, iterations.size()));
        }
        classes = List.copyOf(classes);
        before = before.clone();
        after = after.clone();
        iterations = List.copyOf(iterations);
        options = inOrder(options);
        provenance = inOrder(provenance);
        figures = inOrder(figures);
        timings = inOrder(timings);
    }

    /// What came of it, in words.
    public Verdict verdict() {
        return Verdict.of(classes, before, after, source, target);
    }

    private static <V> Map<String, V> inOrder(Map<String, V> map) {
        return Collections.unmodifiableMap(new LinkedHashMap<>(map));
    }
}
