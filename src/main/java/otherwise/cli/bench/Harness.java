package otherwise.cli.bench;

import java.nio.file.Path;
import java.util.List;

/// Measures cases in processes of their own, found by [java.util.ServiceLoader]: slower than [Measurement], and free of what one case's
/// compiled code does to the next.
public interface Harness {

    /// Runs these cases and prints a table.
    ///
    /// @param models the models of the case `bttf`
    /// @param rounds measured runs in each process
    /// @param warmSeconds how long each runs before it counts
    void run(List<String> cases, List<Integer> threads, Path models, int rounds, double warmSeconds);
}
