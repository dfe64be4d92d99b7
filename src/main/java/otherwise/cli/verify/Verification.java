package otherwise.cli.verify;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import otherwise.backend.Backend;
import otherwise.cli.verify.Comparison.Line;
import otherwise.cli.verify.Comparison.Uncovered;
import otherwise.io.InvalidFileException;

/// What became of one golden file.
public record Verification(Path file, List<Line> lines, List<Uncovered> uncovered, double seconds) {

    /// Runs the check for the file's kind.
    ///
    /// @throws IOException if it cannot be read, is no golden file, or is of an unknown kind (the known ones are named)
    /// @throws IllegalArgumentException if it lacks what its kind needs
    public static Verification of(Path file, Backend backend) throws IOException {
        long start = System.nanoTime();
        try (var golden = Golden.open(file, backend);
                var _ = backend.scope()) {
            var check = Checks.of(golden.kind())
                    .orElseThrow(() -> new InvalidFileException(
                            file, "unknown kind '" + golden.kind() + "'; the kinds are: " + String.join(", ", Checks.kinds())));
            var comparison = new Comparison(golden);
            check.run(golden, comparison);
            return new Verification(file, comparison.lines(), comparison.uncovered(), (System.nanoTime() - start) * 1e-9);
        }
    }

    /// Whether at least one tensor was compared, and all agree.
    public boolean ok() {
        return !lines.isEmpty() && lines.stream().allMatch(Line::ok);
    }

    /// Prints a line for each tensor (only for failed ones if `summary`), what is not covered, and the verdict.
    public void print(PrintWriter out, boolean summary) {
        int width = lines.stream().mapToInt(line -> line.name().length()).max().orElse(0);
        for (var line : lines) if (!summary || !line.ok()) out.println("  " + describe(line, width));
        for (var left : uncovered) out.println("  not covered: " + left.tensors() + " tensors of " + left.what());
        out.println(file.getFileName() + ": " + verdict());
    }

    private static String describe(Line line, int width) {
        var name = String.format(Locale.ROOT, "%-" + width + "s  ", line.name());
        if (line.problem() != null) return name + "FAIL " + line.problem();
        return name
                + String.format(
                        Locale.ROOT,
                        "%s %.1e  limit %.1e  %s",
                        line.zero() ? "absolute" : "relative",
                        line.error(),
                        line.limit(),
                        line.ok() ? "ok" : "FAIL");
    }

    private String verdict() {
        if (lines.isEmpty()) return "FAIL, nothing to compare";
        long failed = lines.stream().filter(line -> !line.ok()).count();
        var worst = lines.stream().max(Comparator.comparingDouble(Line::share)).orElseThrow();
        var count = failed == 0 ? "ok, " + lines.size() + " tensors agree" : "FAIL, " + failed + " of " + lines.size() + " tensors";
        var closest = worst.problem() != null
                ? ""
                : String.format(Locale.ROOT, ", worst %s at %.1e of %.1e", worst.name(), worst.error(), worst.limit());
        return count + closest + String.format(Locale.ROOT, ", %.1f s", seconds);
    }
}
