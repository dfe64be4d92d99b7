package otherwise.cli.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import otherwise.backend.DeviceException;
import otherwise.cli.DeviceOptions;
import otherwise.cli.ExitCode;
import otherwise.cli.GraphOptions;
import otherwise.cli.bench.Cases.Case;
import otherwise.cli.bench.Cases.Suite;
import otherwise.explain.ModelFiles;
import otherwise.io.AtomicFile;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `otherwise bench`: medians of what matters, alone or against a peer in the same process.
@Command(
        name = "bench",
        description = "Measure the operations that matter; with --peers, against libtorch in the same process.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Examples:",
            "  otherwise bench --case matmul-1536 --threads 1",
            "  otherwise bench --peers --out benchmarks.md",
            "  otherwise bench --set gpu --device cuda:bf16",
            "  otherwise bench --case bttf --device cuda --host",
            "With --peers or --jmh the launcher builds with the Maven profile peers, which fetches libtorch (110 MB).",
            "Exit code 1: slower than it must be, or the results differ; 3: the device could not do a case."
        })
public final class Bench implements Callable<Integer> {
    private static final String WITH_PEERS = "start with tools/otherwise, or build with ./mvnw -Ppeers";

    @Option(names = "--case", paramLabel = "NAME",
            description = "What to measure, may be repeated; a wrong name lists all. Default: those of --set.")
    private List<String> cases = new ArrayList<>();

    @Option(names = "--set", defaultValue = "cpu", paramLabel = "cpu|gpu|tiny",
            description = "Which cases: for a processor; for a large GPU, at the sizes of Wan2.1 14B; or those, tiny (default: ${DEFAULT-VALUE}).")
    private Suite suite;

    @Option(names = "--threads", split = ",", defaultValue = "0", paramLabel = "N",
            description = "CPU threads, perhaps several: 1,2. 0 means all (default: ${DEFAULT-VALUE}).")
    private List<Integer> threads;

    @Option(names = "--rounds", defaultValue = "15", paramLabel = "N",
            description = "Runs of each, of which the median counts (default: ${DEFAULT-VALUE}).")
    private int rounds;

    @Option(names = "--warm", defaultValue = "2", paramLabel = "SECONDS",
            description = "How long each runs before it counts (default: ${DEFAULT-VALUE}).")
    private double warm;

    @Option(names = "--peers", description = "Also run the same on libtorch, in turns.")
    private boolean peers;

    @Option(names = "--jmh", description = "Run under JMH instead: every case in processes of its own, on the CPU.")
    private boolean jmh;

    @Option(names = "--host",
            description = "Measure how long the host needs to ask for it all: the same on a device that computes nothing.")
    private boolean host;

    @Mixin
    private DeviceOptions device;

    @Mixin
    private GraphOptions graphs;

    @Option(names = "--models", paramLabel = "DIR", description = "Models of the case bttf (default: those that ship).")
    private Path models;

    @Option(names = "--list", paramLabel = "FILE", description = "Measure nothing, but write what the cases are, as JSON.")
    private Path list;

    @Option(names = "--beside", paramLabel = "FILE",
            description = "What another program measured of the same cases, as tools/gpu/peer.py writes it: put it into the table.")
    private Path beside;

    @Option(names = "--out", paramLabel = "FILE", description = "Also write the table, as Markdown.")
    private Path out;

    @Override
    public Integer call() throws IOException {
        if (rounds < 1) throw new IllegalArgumentException("--rounds " + rounds + ": at least 1");
        for (int count : threads) if (count < 0) throw new IllegalArgumentException("--threads " + count + ": not negative");
        var chosen = new ArrayList<Case>();
        for (var name : cases.isEmpty() ? Cases.names(suite) : cases) chosen.add(Cases.named(name, files()));
        if (graphs.asked() && !(device.toString().startsWith("cuda") && chosen.stream().allMatch(c -> c.kind().equals("bttf"))))
            throw new IllegalArgumentException("--graphs is for the case bttf on a CUDA device: add --case bttf --device cuda");
        if (host && (peers || beside != null)) throw new IllegalArgumentException("--host goes with neither --peers nor --beside");
        if (list != null) {
            if (host || graphs.asked()) throw new IllegalArgumentException("--list goes with neither --host nor --graphs");
            CaseFile.write(list, chosen);
            return ExitCode.DONE;
        }
        if (jmh) return underJmh(chosen);
        var ours = new Ours(device::open, graphs, host, files());
        var engines = engines(ours);
        var figures = new Figures(
                engines.stream().map(Engine::name).toList(), where(),
                beside == null ? Optional.empty() : Optional.of(Elsewhere.read(beside)));
        int code = ExitCode.DONE;
        try (var bar = bar((long) chosen.size() * threads.size())) {
            for (int count : threads) {
                for (var c : chosen) {
                    bar.setExtraMessage(" " + c.name());
                    code = Math.max(code, measured(c, used(count), ours, engines, figures));
                    if (out != null) AtomicFile.write(out, figures.table().markdown());
                    bar.step();
                }
            }
        } finally {
            engines.forEach(Engine::close);
            System.out.print(figures.table().text());
        }
        return code;
    }

    private int underJmh(List<Case> chosen) {
        if (peers || host || graphs.asked() || out != null || !device.toString().equals("cpu"))
            throw new IllegalArgumentException("--jmh goes with none of --peers, --host, --graphs, --device, --out");
        var harness = ServiceLoader.load(Harness.class).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("--jmh: not on the class path; " + WITH_PEERS));
        var counts = threads.stream().map(Bench::used).toList();
        harness.run(chosen.stream().map(Case::name).toList(), counts, models(), rounds, warm);
        return ExitCode.DONE;
    }

    private Figures.Where where() {
        return host ? Figures.Where.HOST : device.toString().startsWith("cuda") ? Figures.Where.GPU : Figures.Where.CPU;
    }

    /// Threads that an option's value stands for.
    private static int used(int count) {
        return count == 0 ? Runtime.getRuntime().availableProcessors() : count;
    }

    /// The models that ship, or those of the folder that was named.
    private Path models() {
        return models != null ? models : Path.of(System.getProperty("otherwise.home", "."), "weights", "shape-moving-mini");
    }

    private ModelFiles files() {
        return new ModelFiles(models());
    }

    private List<Engine> engines(Ours ours) {
        var engines = new ArrayList<Engine>(List.of(ours));
        if (!peers) return engines;
        ServiceLoader.load(Engine.class).forEach(engines::add);
        if (engines.size() == 1) {
            throw new IllegalArgumentException(
                    "--peers: no peer on the class path; " + WITH_PEERS);
        }
        return engines;
    }

    /// Measures a case on devices that are opened anew, and adds its row; returns an exit code. A case that needs more memory than the device
    /// has keeps no other from being measured; after a fault of the device there is none to open.
    private int measured(Case c, int threads, Ours ours, List<Engine> engines, Figures figures) {
        var workloads = new ArrayList<Engine.Workload>();
        for (var engine : engines) engine.threads(threads);
        try {
            for (var engine : engines) workloads.add(engine.prepare(c.kind(), c.inputs(), c.numbers()));
            var m = Measurement.of(workloads, rounds, warm);
            long calls = host ? ours.calls(workloads.getFirst()) : 0;
            return figures.add(c, threads, m, ours.peak(), calls, ours.width()) ? ExitCode.DONE : ExitCode.NO;
        } catch (DeviceException e) {
            System.err.println(c.name() + ": " + e.getMessage());
            figures.addFailed(c, threads);
            return ExitCode.MACHINE_CANNOT;
        } finally {
            workloads.forEach(Engine.Workload::close);
        }
    }

    private static ProgressBar bar(long steps) {
        return new ProgressBarBuilder().setTaskName("bench").setInitialMax(steps).setUpdateIntervalMillis(500)
                .setStyle(ProgressBarStyle.ASCII)
                .build();
    }
}
