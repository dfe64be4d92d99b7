package otherwise.cli.bench;

import java.util.List;
import java.util.Map;

/// A library that can run the benchmarks: ours, or a peer found by [java.util.ServiceLoader].
public interface Engine extends AutoCloseable {

    /// What stands over its column, with its version.
    String name();

    /// How many threads the runs from now on may use.
    void threads(int count);

    /// Makes everything ready that is not to be timed.
    ///
    /// @param kind one of [Cases]
    /// @param numbers what the kind needs to know beyond its inputs, such as the number of heads
    Workload prepare(String kind, List<Array> inputs, Map<String, Long> numbers);

    @Override
    void close();

    /// A computation that is ready to run, again and again.
    interface Workload extends AutoCloseable {

        /// Computes once. A device may still be at it when this returns.
        void run();

        /// Computes once, and waits.
        ///
        /// @return the seconds that it took
        default double seconds() {
            long began = System.nanoTime();
            run();
            return (System.nanoTime() - began) * 1e-9;
        }

        /// What the last run computed, for comparison: the output, then the gradients.
        List<float[]> results();

        @Override
        void close();
    }
}
