package otherwise.cli.bench;

import java.nio.file.Path;
import java.util.List;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/// The cases under JMH: [KernelBenchmark].
public final class Jmh implements Harness {
    private static final int FORKS = 2;
    private static final int WARM_RUNS = 3;

    @Override
    public void run(List<String> cases, List<Integer> threads, Path models, int rounds, double warmSeconds) {
        var options = new OptionsBuilder().include(KernelBenchmark.class.getName())
                .param("name", cases.toArray(String[]::new))
                .param("threads", threads.stream().map(String::valueOf).toArray(String[]::new))
                .param("models", models.toString())
                .forks(FORKS)
                .warmupIterations(WARM_RUNS)
                .warmupTime(TimeValue.milliseconds(Math.max(1, Math.round(1000 * warmSeconds / WARM_RUNS))))
                .measurementIterations(rounds)
                .shouldFailOnError(true)
                .build();
        try {
            new Runner(options).run();
        } catch (RunnerException e) {
            throw new IllegalStateException("JMH: " + e.getMessage(), e);
        }
    }
}
