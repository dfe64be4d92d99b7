package otherwise.cli.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import otherwise.cli.DeviceOptions;
import otherwise.cli.bench.Cases.Case;
import otherwise.explain.ModelFiles;
import otherwise.io.AtomicFile;
import otherwise.report.Table;
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
            "With --peers or --jmh the launcher builds with the Maven profile peers, which fetches libtorch (110 MB).",
            "Exit code 1: slower than it must be, or the results differ."
        })
public final class Bench implements Callable<Integer> {
    private static final int DONE = 0;
    private static final int NO = 1;
    private static final String WITH_PEERS = "start with tools/otherwise, or build with ./mvnw -Ppeers";

    /// Above this two libraries have not computed the same.
    private static final double SAME = 1e-3;

    @Option(names = "--case", paramLabel = "NAME",
            description = "What to measure, may be repeated: matmul-1536, matmul-3072, conv3d, attention, layer-norm, gelu, softmax, wan-block, bttf. "
                    + "Default: all.")
    private List<String> cases = new ArrayList<>();

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

    @Mixin
    private DeviceOptions device;

    @Option(names = "--models", paramLabel = "DIR", description = "Models of the case bttf (default: those that ship).")
    private Path models;

    @Option(names = "--out", paramLabel = "FILE", description = "Also write the table, as Markdown.")
    private Path out;

    @Override
    public Integer call() throws IOException {
        if (rounds < 1) throw new IllegalArgumentException("--rounds " + rounds + ": at least 1");
        for (int count : threads) if (count < 0) throw new IllegalArgumentException("--threads " + count + ": not negative");
        var chosen = new ArrayList<Case>();
        for (var name : cases.isEmpty() ? Cases.names() : cases) chosen.add(Cases.named(name, files()));
        if (jmh) return underJmh(chosen);
        var engines = engines();
        var heads = new ArrayList<>(List.of("case", "what", "threads"));
        for (var engine : engines) heads.add(engine.name() + " ms");
        heads.add("GFLOP/s");
        if (engines.size() > 1) heads.addAll(List.of("speed / peer", "must", "aim", "difference"));
        var table = Table.of(heads.toArray(String[]::new));
        boolean good = true;
        try (var bar = bar((long) chosen.size() * threads.size())) {
            for (int count : threads) {
                int used = used(count);
                for (var engine : engines) engine.threads(used);
                for (var c : chosen) {
                    bar.setExtraMessage(" " + c.name());
                    var m = measured(c, engines);
                    good &= row(table, c, used, m);
                    if (out != null) AtomicFile.write(out, table.markdown());
                    bar.step();
                }
            }
        } finally {
            engines.forEach(Engine::close);
        }
        System.out.print(table.text());
        return good ? DONE : NO;
    }

    private int underJmh(List<Case> chosen) {
        if (peers || out != null || !device.toString().equals("cpu"))
            throw new IllegalArgumentException("--jmh goes with neither --peers nor --device nor --out");
        var harness = ServiceLoader.load(Harness.class).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("--jmh: not on the class path; " + WITH_PEERS));
        var counts = threads.stream().map(Bench::used).toList();
        harness.run(chosen.stream().map(Case::name).toList(), counts, models(), rounds, warm);
        return DONE;
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

    private List<Engine> engines() {
        var engines = new ArrayList<Engine>(List.of(new Ours(device::open, files())));
        if (!peers) return engines;
        ServiceLoader.load(Engine.class).forEach(engines::add);
        if (engines.size() == 1) {
            throw new IllegalArgumentException(
                    "--peers: no peer on the class path; " + WITH_PEERS);
        }
        return engines;
    }

    private Measurement measured(Case c, List<Engine> engines) {
        var workloads = new ArrayList<Engine.Workload>();
        try {
            for (var engine : engines) workloads.add(engine.prepare(c.kind(), c.inputs(), c.numbers()));
            return Measurement.of(workloads, rounds, warm);
        } finally {
            workloads.forEach(Engine.Workload::close);
        }
    }

    /// Adds the row; returns whether the figures are as they must be.
    private static boolean row(Table table, Case c, int threads, Measurement m) {
        var cells = new ArrayList<Object>(List.of(c.name(), c.what(), threads));
        for (double seconds : m.seconds()) cells.add(String.format(Locale.ROOT, "%.2f", 1000 * seconds));
        double ours = m.seconds().getFirst();
        cells.add(c.flops() > 0 ? String.format(Locale.ROOT, "%.0f", c.flops() / ours * 1e-9) : "–");
        if (m.seconds().size() == 1) {
            table.row(cells.toArray());
            return true;
        }
        double speed = m.seconds().get(1) / ours;
        cells.add(String.format(Locale.ROOT, "%.2f", speed));
        cells.add(String.format(Locale.ROOT, "%.2f", c.must()));
        cells.add(String.format(Locale.ROOT, "%.2f", c.aim()));
        cells.add(String.format(Locale.ROOT, "%.1e", m.difference()));
        table.row(cells.toArray());
        return speed >= c.must() && m.difference() < SAME;
    }

    private static ProgressBar bar(long steps) {
        return new ProgressBarBuilder().setTaskName("bench").setInitialMax(steps).setUpdateIntervalMillis(500)
                .setStyle(ProgressBarStyle.ASCII)
                .build();
    }
}
