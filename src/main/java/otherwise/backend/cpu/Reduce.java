package otherwise.backend.cpu;

import static otherwise.backend.cpu.Lanes.all;
import static otherwise.backend.cpu.Lanes.at;
import static otherwise.backend.cpu.Lanes.first;
import static otherwise.backend.cpu.Lanes.load;
import static otherwise.backend.cpu.Lanes.put;
import static otherwise.backend.cpu.Lanes.store;
import static otherwise.backend.cpu.Lanes.whole;
import static otherwise.backend.cpu.Lanes.zero;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import otherwise.backend.Backend.Reduction;

/// Sums and maxima over one axis.
///
/// The pieces in which an axis is summed depend on the sizes alone, never on the threads. Vectors add up at most a few hundred floats
/// each before the sum moves on to a double, so that a loss over millions of elements keeps its seven digits.
final class Reduce {
    private static final int W = VectorMath.LANES;

    /// Floats that four vectors add up before the sum is moved to a double.
    private static final long BLOCK = 64L * 4 * W;

    /// Rows that a column sum adds up in floats.
    private static final long BAND = 64;

    private Reduce() {}

    static void reduce(Parallel parallel, Reduction f, MemorySegment y, MemorySegment x, long outer, long n, long inner) {
        if (inner == 1 && n > 4 * Lanes.GRAIN) longRows(parallel, f, y, x, outer, n);
        else if (inner == 1) rows(parallel, f, y, x, outer, n);
        else if (n > 2 * BAND) tallColumns(parallel, f, y, x, outer, n, inner);
        else columns(parallel, f, y, x, outer, n, inner);
    }

    private static void rows(Parallel parallel, Reduction f, MemorySegment y, MemorySegment x, long outer, long n) {
        parallel.range(outer, Math.max(1, Lanes.GRAIN / Math.max(1, n)), (from, to) -> {
            for (long r = from; r < to; r++) put(y, r, f == Reduction.SUM ? (float) sum(x, r * n, n) : max(x, r * n, n));
        });
    }

    /// Few rows, each shared out in pieces.
    private static void longRows(Parallel parallel, Reduction f, MemorySegment y, MemorySegment x, long outer, long n) {
        long pieces = (n + Lanes.GRAIN - 1) / Lanes.GRAIN;
        for (long r = 0; r < outer; r++) {
            long row = r * n;
            var part = new double[Math.toIntExact(pieces)];
            parallel.range(n, Lanes.GRAIN, (from, to) -> part[(int) (from / Lanes.GRAIN)] =
                    f == Reduction.SUM ? sum(x, row + from, to - from) : max(x, row + from, to - from));
            double all = part[0];
            for (int i = 1; i < part.length; i++) all = f == Reduction.SUM ? all + part[i] : Math.max(all, part[i]);
            put(y, r, (float) all);
        }
    }

    /// x[from] + … + x[from+n-1]
    static double sum(MemorySegment x, long from, long n) {
        double sum = 0;
        long i = 0;
        for (long end = n - n % (4L * W); i < end;) {
            var s0 = zero();
            var s1 = zero();
            var s2 = zero();
            var s3 = zero();
            for (long stop = Math.min(end, i + BLOCK); i < stop; i += 4L * W) {
                s0 = s0.add(load(x, from + i));
                s1 = s1.add(load(x, from + i + W));
                s2 = s2.add(load(x, from + i + 2L * W));
                s3 = s3.add(load(x, from + i + 3L * W));
            }
            sum += VectorMath.sum(s0.add(s1).add(s2.add(s3)));
        }
        if (i == n) return sum;
        var rest = zero();
        for (; i + W <= n; i += W) rest = rest.add(load(x, from + i));
        if (i < n) rest = rest.add(load(x, from + i, first(n - i)));
        return sum + VectorMath.sum(rest);
    }

    /// The largest of x[from] … x[from+n-1]
    static float max(MemorySegment x, long from, long n) {
        var max = all(Float.NEGATIVE_INFINITY);
        long end = whole(n);
        for (long i = 0; i < end; i += W) max = max.max(load(x, from + i));
        if (end < n) {
            var mask = first(n - end);
            max = max.blend(max.max(load(x, from + end, mask)), mask);
        }
        return Lanes.max(max);
    }

    /// Short columns: a task is a run of columns of one outer index, and goes down all of the axis.
    private static void columns(Parallel parallel, Reduction f, MemorySegment y, MemorySegment x, long outer, long n, long inner) {
        parallel.range(outer * inner, Math.max(4L * W, Lanes.GRAIN / n), (from, to) -> {
            for (long i = from; i < to;) {
                long o = i / inner;
                long column = i % inner;
                long width = Math.min(inner - column, to - i);
                for (long j = 0; j < width; j += W) {
                    long lanes = Math.min(W, width - j);
                    long at = o * n * inner + column + j;
                    if (lanes == W) store(column(f, x, at, n, inner), y, i + j);
                    else for (long k = 0; k < lanes; k++) put(y, i + j + k, narrow(f, x, at + k, n, inner));
                }
                i += width;
            }
        });
    }

    private static FloatVector column(Reduction f, MemorySegment x, long at, long n, long inner) {
        var v = load(x, at);
        if (f == Reduction.SUM) for (long k = 1; k < n; k++) v = v.add(load(x, at + k * inner));
        else for (long k = 1; k < n; k++) v = v.max(load(x, at + k * inner));
        return v;
    }

    private static float narrow(Reduction f, MemorySegment x, long at, long n, long inner) {
        float v = at(x, at);
        if (f == Reduction.SUM) for (long k = 1; k < n; k++) v += at(x, at + k * inner);
        else for (long k = 1; k < n; k++) v = Math.max(v, at(x, at + k * inner));
        return v;
    }

    /// Tall columns, as in the gradient of a bias: bands of rows are summed side by side, then the bands in order.
    private static void tallColumns(Parallel parallel, Reduction f, MemorySegment y, MemorySegment x, long outer, long n, long inner) {
        long bands = (n + BAND - 1) / BAND;
        int width = Math.toIntExact(inner);
        for (long o = 0; o < outer; o++) {
            long start = o * n * inner;
            var part = new float[Math.toIntExact(bands)][];
            parallel.range(bands, Math.max(1, Lanes.GRAIN / (BAND * inner)), (from, to) -> {
                for (long b = from; b < to; b++)
                    part[(int) b] = band(f, x, start + b * BAND * inner, Math.min(BAND, n - b * BAND), width);
            });
            combine(parallel, f, y, o * inner, part, width);
        }
    }

    private static float[] band(Reduction f, MemorySegment x, long start, long n, int inner) {
        var part = new float[inner];
        int end = (int) whole(inner);
        for (int j = 0; j < end; j += W) column(f, x, start + j, n, inner).intoArray(part, j);
        if (end < inner) {
            // The last columns as one vector, rows read lane by lane under a mask: rows end where memory may.
            var mask = first(inner - end);
            var v = load(x, start + end, mask);
            if (f == Reduction.SUM) for (long k = 1; k < n; k++) v = v.add(load(x, start + end + k * inner, mask));
            else for (long k = 1; k < n; k++) v = v.max(load(x, start + end + k * inner, mask));
            v.intoArray(part, end, mask);
        }
        return part;
    }

    /// y[offset + j] = the sum (or maximum) of part[·][j], one after the other, in double.
    private static void combine(Parallel parallel, Reduction f, MemorySegment y, long offset, float[][] part, int inner) {
        parallel.range(inner, Math.max(4L * W, Lanes.GRAIN / part.length), (from, to) -> {
            int width = (int) (to - from);
            var all = new double[width];
            for (int j = 0; j < width; j++) all[j] = part[0][(int) from + j];
            for (int b = 1; b < part.length; b++) {
                var row = part[b];
                if (f == Reduction.SUM) for (int j = 0; j < width; j++) all[j] += row[(int) from + j];
                else for (int j = 0; j < width; j++) all[j] = Math.max(all[j], row[(int) from + j]);
            }
            for (int j = 0; j < width; j++) put(y, offset + from + j, (float) all[j]);
        });
    }

    /// y[j] = Σ part[·][j], in order: for kernels that gather a parameter's gradient in pieces.
    static void sumParts(Parallel parallel, MemorySegment y, float[][] part, int width) {
        combine(parallel, Reduction.SUM, y, 0, part, width);
    }
}
