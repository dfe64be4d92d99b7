package otherwise.cli.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import otherwise.cli.bench.Cases.Case;
import otherwise.report.Table;

/// The table of a benchmark, a row a case.
final class Figures {
    /// Above this two libraries have not computed the same.
    private static final double SAME = 1e-3;

    /// Where ours is measured.
    enum Where {
        /// On a processor: with so many threads, in GFLOP/s.
        CPU,
        /// On a GPU: in TFLOP/s.
        GPU,
        /// On what computes nothing: how long it takes to ask for it, and how often that is.
        HOST
    }

    private final boolean peers;
    private final Where where;
    private final int columns;
    private final Optional<Elsewhere> elsewhere;
    private final Table table;

    /// @param engines what was measured here, ours first
    /// @param elsewhere what another program measured
    Figures(List<String> engines, Where where, Optional<Elsewhere> elsewhere) {
        this.where = where;
        this.peers = engines.size() > 1;
        this.elsewhere = elsewhere;
        var heads = new ArrayList<>(List.of("case", "what"));
        if (where == Where.CPU) heads.add("threads");
        for (var engine : engines) heads.add(engine + " ms");
        heads.add(where == Where.HOST ? "calls" : where == Where.GPU ? "TFLOP/s" : "GFLOP/s");
        heads.add("peak MiB");
        if (peers) heads.addAll(List.of("speed / peer", "must", "aim", "difference"));
        elsewhere.ifPresent(e -> heads.addAll(List.of(e.name() + " ms", e.name() + " peak MiB", "speed / peer", "of the ceiling")));
        columns = heads.size();
        table = Table.of(heads.toArray(String[]::new));
    }

    Table table() {
        return table;
    }

    /// Adds a case that was measured.
    ///
    /// @param peak the most memory that ours took, in bytes
    /// @param calls how often the host asked the device for something, where that is what is measured
    /// @param width bytes of a number
    /// @return whether the figures are as they must be
    boolean add(Case c, int threads, Measurement m, long peak, long calls, int width) {
        double ours = m.seconds().getFirst();
        var cells = begun(c, threads);
        for (double seconds : m.seconds()) cells.add(fixed(1000 * seconds, 2));
        double flops = c.flops() > 0 ? c.flops() / ours : Double.NaN;
        cells.add(switch (where) {
            case CPU -> fixed(flops * 1e-9, 0);
            case GPU -> flops * 1e-12;
            case HOST -> calls == 0 ? "–" : String.format(Locale.ROOT, "%,d", calls);
        });
        cells.add(mib(peak));
        double speed = peers ? m.seconds().get(1) / ours : Double.NaN;
        if (peers)
            cells.addAll(
                    List.of(fixed(speed, 2), fixed(c.must(), 2), fixed(c.aim(), 2), String.format(Locale.ROOT, "%.1e", m.difference())));
        elsewhere.ifPresent(e -> {
            cells.addAll(beside(e, c));
            cells.add(fixed(e.of(c.name()).seconds() / ours, 2));
            double share = ceiling(e, c, width) / ours;
            cells.add(Double.isNaN(share) ? "–" : fixed(100 * share, 0) + " %");
        });
        table.row(cells.toArray());
        return !peers || (speed >= c.must() && m.difference() < SAME);
    }

    /// Adds a case that the device could not do; what others have of it still shows.
    void addFailed(Case c, int threads) {
        var cells = begun(c, threads);
        int empty = columns - cells.size() - (elsewhere.isPresent() ? 4 : 0);
        for (int i = 0; i < empty; i++) cells.add("–");
        elsewhere.ifPresent(e -> {
            cells.addAll(beside(e, c));
            cells.addAll(List.of("–", "–"));
        });
        table.row(cells.toArray());
    }

    private List<Object> begun(Case c, int threads) {
        var cells = new ArrayList<Object>(List.of(c.name(), c.what()));
        if (where == Where.CPU) cells.add(threads);
        return cells;
    }

    private static List<String> beside(Elsewhere e, Case c) {
        return List.of(fixed(1000 * e.of(c.name()).seconds(), 2), mib(e.of(c.name()).peak()));
    }

    /// The least seconds that a case could take at the measured ceilings.
    private static double ceiling(Elsewhere e, Case c, int width) {
        return c.flops() > 0 ? c.flops() / e.flops() : c.moved() > 0 ? c.moved() * width / e.bytes() : Double.NaN;
    }

    private static String mib(double bytes) {
        return fixed(bytes / (1 << 20), bytes < 100 << 20 ? 1 : 0);
    }

    private static String fixed(double value, int decimals) {
        return Double.isNaN(value) ? "–" : String.format(Locale.ROOT, "%." + decimals + "f", value);
    }
}
