package otherwise.backend.cpu;

import static otherwise.backend.cpu.Lanes.all;
import static otherwise.backend.cpu.Lanes.first;
import static otherwise.backend.cpu.Lanes.load;
import static otherwise.backend.cpu.Lanes.store;
import static otherwise.backend.cpu.Lanes.whole;
import static otherwise.backend.cpu.Lanes.zero;

import java.lang.foreign.MemorySegment;

/// Softmax and its logarithm, row by row. The largest element of a row is subtracted first, so that no exponential overflows.
final class Softmax {
    private static final int W = VectorMath.LANES;

    /// Exponentials that one vector adds up before the sum is moved to a double.
    private static final long BLOCK = 256L * W;

    private Softmax() {}

    /// Rows of a piece. Every method below has a loop of its own over them: a loop that all share would be compiled for all, and worse.
    private static long grain(long c) {
        return Math.max(1, Lanes.GRAIN / Math.max(1, c));
    }

    static void softmax(Parallel parallel, MemorySegment y, MemorySegment x, long rows, long c) {
        parallel.range(rows, grain(c), (from, to) -> {
            for (long r = from; r < to; r++) softmax(y, x, r * c, c);
        });
    }

    private static void softmax(MemorySegment y, MemorySegment x, long from, long c) {
        double sum = exponentials(y, x, from, c, Reduce.max(x, from, c));
        scale(y, from, c, (float) (1 / sum));
    }

    /// y = exp(x − max); returns the sum of y.
    private static double exponentials(MemorySegment y, MemorySegment x, long from, long c, float max) {
        double sum = 0;
        long end = whole(c);
        long i = 0;
        while (i < end) {
            var s = zero();
            for (long stop = Math.min(end, i + BLOCK); i < stop; i += W) {
                var e = VectorMath.exp(load(x, from + i).sub(max));
                store(e, y, from + i);
                s = s.add(e);
            }
            sum += VectorMath.sum(s);
        }
        if (i == c) return sum;
        var mask = first(c - i);
        var e = VectorMath.exp(load(x, from + i, mask).sub(max));
        store(e, y, from + i, mask);
        return sum + VectorMath.sum(zero().blend(e, mask));
    }

    private static void scale(MemorySegment y, long from, long c, float factor) {
        long end = whole(c);
        for (long i = 0; i < end; i += W) store(load(y, from + i).mul(factor), y, from + i);
        if (end == c) return;
        var mask = first(c - end);
        store(load(y, from + end, mask).mul(factor), y, from + end, mask);
    }

    static void softmaxBackward(Parallel parallel, MemorySegment dx, MemorySegment dy, MemorySegment y, long rows, long c) {
        parallel.range(rows, grain(c), (from, to) -> {
            for (long r = from; r < to; r++) softmaxBackward(dx, dy, y, r * c, c);
        });
    }

    private static void softmaxBackward(MemorySegment dx, MemorySegment dy, MemorySegment y, long from, long c) {
        float dot = (float) dot(dy, y, from, c);
        long end = whole(c);
        for (long i = 0; i < end; i += W) store(load(dy, from + i).sub(dot).mul(load(y, from + i)), dx, from + i);
        if (end == c) return;
        var mask = first(c - end);
        store(load(dy, from + end, mask).sub(dot).mul(load(y, from + end, mask)), dx, from + end, mask);
    }

    /// Σ a·b over one row
    private static double dot(MemorySegment a, MemorySegment b, long from, long c) {
        double sum = 0;
        long end = whole(c);
        long i = 0;
        while (i < end) {
            var s = zero();
            for (long stop = Math.min(end, i + BLOCK); i < stop; i += W) s = load(a, from + i).fma(load(b, from + i), s);
            sum += VectorMath.sum(s);
        }
        if (i == c) return sum;
        var mask = first(c - i);
        return sum + VectorMath.sum(load(a, from + i, mask).mul(load(b, from + i, mask)));
    }

    static void logSoftmax(Parallel parallel, MemorySegment y, MemorySegment x, long rows, long c) {
        parallel.range(rows, grain(c), (from, to) -> {
            for (long r = from; r < to; r++) logSoftmax(y, x, r * c, c);
        });
    }

    private static void logSoftmax(MemorySegment y, MemorySegment x, long from, long c) {
        float max = Reduce.max(x, from, c);
        float shift = (float) Math.log(exponentials(y, x, from, c, max));
        // Two subtractions, for max + shift would round away the digits of shift where max is large.
        long end = whole(c);
        for (long i = 0; i < end; i += W) store(load(x, from + i).sub(max).sub(shift), y, from + i);
        if (end == c) return;
        var mask = first(c - end);
        store(load(x, from + end, mask).sub(max).sub(shift), y, from + end, mask);
    }

    static void logSoftmaxBackward(Parallel parallel, MemorySegment dx, MemorySegment dy, MemorySegment y, long rows, long c) {
        parallel.range(rows, grain(c), (from, to) -> {
            for (long r = from; r < to; r++) logSoftmaxBackward(dx, dy, y, r * c, c);
        });
    }

    private static void logSoftmaxBackward(MemorySegment dx, MemorySegment dy, MemorySegment y, long from, long c) {
        var minusSum = all((float) -Reduce.sum(dy, from, c));
        long end = whole(c);
        for (long i = 0; i < end; i += W)
            store(VectorMath.exp(load(y, from + i)).fma(minusSum, load(dy, from + i)), dx, from + i);
        if (end == c) return;
        var mask = first(c - end);
        store(VectorMath.exp(load(y, from + end, mask)).fma(minusSum, load(dy, from + end, mask)), dx, from + end, mask);
    }
}
