package otherwise.cli.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import otherwise.backend.Backends;
import otherwise.cli.GraphOptions;
import otherwise.explain.ModelFiles;

/// One run of a case of [Cases] on the CPU backend.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Measurement(time = 1)
public class KernelBenchmark {
    /// The case.
    @Param("matmul-1536")
    public String name;

    /// Threads of the backend; JMH itself calls from one.
    @Param("1")
    public int threads;

    /// The folder of models of the case `bttf`.
    @Param("weights/shape-moving-mini")
    public String models;

    private Ours ours;
    private Engine.Workload workload;

    @Setup
    public void prepare() throws IOException {
        var files = new ModelFiles(Path.of(models));
        var c = Cases.named(name, files);
        ours = new Ours(count -> Backends.open("cpu", count), new GraphOptions(), false, files);
        ours.threads(threads);
        workload = ours.prepare(c.kind(), c.inputs(), c.numbers());
    }

    @Benchmark
    public void run() {
        workload.run();
    }

    @TearDown
    public void close() {
        workload.close();
        ours.close();
    }
}
