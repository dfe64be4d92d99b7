package otherwise.cli.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/// Medians of runs that take turns, so that whatever else the machine does meets all engines alike.
///
/// @param seconds the median of each engine
/// @param difference the largest of max|a − b| / max|b| over what they computed, NaN if there is one engine only
record Measurement(List<Double> seconds, double difference) {
    /// What all runs of a case should take together, and how many times the rounds asked for that may mean.
    private static final double LEAST_SECONDS = 1;
    private static final int MOST = 10;

    /// After so many seconds of one engine, as few runs as this must do.
    private static final double MANY_SECONDS = 90;
    private static final int LEAST = 3;

    /// Runs every engine's workload `rounds` times, one after the other in each round; more often where that takes no time, less often where
    /// it takes minutes.
    ///
    /// @param warmSeconds how long each runs before anything counts: until the compiler has seen it all
    static Measurement of(List<Engine.Workload> workloads, int rounds, double warmSeconds) {
        for (var workload : workloads) {
            double spent = 0;
            for (int i = 0; (i < LEAST && spent < MANY_SECONDS / 10) || spent < warmSeconds; i++) spent += workload.seconds();
        }
        var times = new ArrayList<double[]>();
        double spent = 0;
        for (int r = 0; r < rounds || (spent < LEAST_SECONDS && r < MOST * rounds); r++) {
            if (r >= LEAST && spent > MANY_SECONDS * workloads.size()) break;
            var round = workloads.stream().mapToDouble(Engine.Workload::seconds).toArray();
            spent += Arrays.stream(round).sum();
            times.add(round);
        }
        var medians = new ArrayList<Double>();
        for (int e = 0; e < workloads.size(); e++) {
            int engine = e;
            medians.add(median(times.stream().mapToDouble(t -> t[engine]).toArray()));
        }
        return new Measurement(medians, difference(workloads));
    }

    static double median(double[] values) {
        var sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    private static double difference(List<Engine.Workload> workloads) {
        if (workloads.size() < 2) return Double.NaN;
        var ours = workloads.getFirst().results();
        var worst = new ArrayList<Double>();
        for (var peer : workloads.subList(1, workloads.size())) {
            var theirs = peer.results();
            if (theirs.size() != ours.size()) throw new IllegalStateException(ours.size() + " results and " + theirs.size());
            for (int i = 0; i < ours.size(); i++) worst.add(difference(ours.get(i), theirs.get(i)));
        }
        return Collections.max(worst);
    }

    static double difference(float[] a, float[] b) {
        if (a.length != b.length) throw new IllegalStateException("results of " + a.length + " and " + b.length + " elements");
        double apart = 0;
        double largest = 0;
        for (int i = 0; i < a.length; i++) {
            double d = Math.abs((double) a[i] - b[i]);
            apart = Double.isNaN(d) ? Double.POSITIVE_INFINITY : Math.max(apart, d);
            largest = Math.max(largest, Math.abs(b[i]));
        }
        return largest == 0 ? apart : apart / largest;
    }
}
