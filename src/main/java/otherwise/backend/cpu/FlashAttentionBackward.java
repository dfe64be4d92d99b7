package otherwise.backend.cpu;

import static otherwise.backend.cpu.FlashAttention.BLOCK;
import static otherwise.backend.cpu.FlashAttention.product;
import static otherwise.backend.cpu.FlashAttention.whole;
import static otherwise.backend.cpu.GemmKernel.COLUMNS;
import static otherwise.backend.cpu.VectorMath.LANES;
import static otherwise.backend.cpu.VectorMath.SPECIES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import otherwise.backend.AttentionSpec;
import otherwise.backend.cpu.FlashAttention.Head;
import otherwise.backend.cpu.Scratch.Use;

/// The way back through [FlashAttention]: the probabilities are computed again, block by block, from the scores and their logsumexp.
///
///     p = exp(scale · q kᵀ − logsumexp)      dv = pᵀ dy      dp = dy vᵀ      ds = p · (dp − δ)      δ = Σ over the width of dy · y
///     dq = scale · ds k                      dk = scale · dsᵀ q
///
/// Twice: once with queries as columns, which gives dq, once with keys as columns, which gives dk and dv. So every element of the
/// result has one owner and one order of summation, at the price of computing the probabilities twice.
final class FlashAttentionBackward {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private final MemorySegment dy;
    private final MemorySegment y;
    private final MemorySegment logsumexp;
    private final MemorySegment q;
    private final MemorySegment k;
    private final MemorySegment v;
    private final AttentionSpec s;
    private final int width;
    private final float scale;

    FlashAttentionBackward(
            MemorySegment dy, MemorySegment y, MemorySegment logsumexp, MemorySegment q, MemorySegment k, MemorySegment v,
            AttentionSpec s) {
        this.dy = dy;
        this.y = y;
        this.logsumexp = logsumexp;
        this.q = q;
        this.k = k;
        this.v = v;
        this.s = s;
        width = (int) s.width();
        scale = (float) s.scale();
    }

    void run(Parallel parallel, MemorySegment dq, MemorySegment dk, MemorySegment dv) {
        long heads = s.batch() * s.heads();
        int length = Math.toIntExact(s.length());
        int keys = Math.toIntExact(s.keys());
        // δ, in the order of the logsumexp: [batch, heads, length]
        var delta = Scratch.mine().floats(Use.SHARED, heads * length);
        parallel.range(heads, Math.max(1, 20_000 / Math.max(1, s.length() * s.width())), (from, to) -> {
            for (long i = from; i < to; i++) delta(delta, i, length);
        });

        if (length > 0) {
            int group = FlashAttention.group(heads, length);
            int groups = (length + group - 1) / group;
            parallel.tasks(heads * groups, task -> {
                int first = (int) (task % groups) * group;
                toQueries(dq, delta, task / groups, first, Math.min(group, length - first));
            });
        }
        if (keys > 0) {
            int group = FlashAttention.group(heads, keys);
            int groups = (keys + group - 1) / group;
            parallel.tasks(heads * groups, task -> {
                long item = task / groups;
                int first = (int) (task % groups) * group;
                int end = Math.min(first + group, keys);
                // Keys that do not count have no gradient.
                int counted = Math.clamp(s.keysOf(item / s.heads()), first, end);
                if (counted > first) toKeys(dk, dv, delta, item, first, counted - first);
                Head.of(dk, s, keys, item).zero(counted, end - counted);
                Head.of(dv, s, keys, item).zero(counted, end - counted);
            });
        }
    }

    private void delta(float[] delta, long item, int length) {
        long stride = s.heads() * width;
        long at = Head.of(y, s, length, item).first();
        for (int i = 0; i < length; i++, at += stride) {
            var sum = FloatVector.zero(SPECIES);
            for (int d = 0; d < width; d += LANES) {
                var in = SPECIES.indexInRange(d, width);
                long place = (at + d) * Float.BYTES;
                sum = FloatVector.fromMemorySegment(SPECIES, dy, place, ORDER, in)
                        .fma(FloatVector.fromMemorySegment(SPECIES, y, place, ORDER, in), sum);
            }
            delta[(int) (item * length) + i] = VectorMath.sum(sum);
        }
    }

    /// dq of the queries `first … first + count - 1` of one head: queries are columns, keys are rows.
    private void toQueries(MemorySegment dq, float[] delta, long item, int first, int count) {
        int keys = (int) s.keysOf(item / s.heads());
        int panels = (count + COLUMNS - 1) / COLUMNS;
        int each = whole(width) * COLUMNS;
        var kHead = Head.of(k, s, s.keys(), item);
        var vHead = Head.of(v, s, s.keys(), item);
        var scratch = Scratch.mine();
        var queries = scratch.floats(Use.RIGHT, (long) panels * COLUMNS * width);
        var dys = scratch.floats(Use.RIGHT_2, (long) panels * COLUMNS * width);
        Head.of(q, s, s.length(), item).columns(queries, first, count);
        Head.of(dy, s, s.length(), item).columns(dys, first, count);
        // Per query: −logsumexp, then δ
        int all = panels * COLUMNS;
        var statistics = scratch.floats(Use.STATISTICS, 2L * all);
        Arrays.fill(statistics, 0, 2 * all, 0f);
        for (int i = 0; i < count; i++) {
            statistics[i] = -logsumexp.getAtIndex(FLOAT, item * s.length() + first + i);
            statistics[all + i] = delta[(int) (item * s.length()) + first + i];
        }
        var kRows = scratch.floats(Use.LEFT, (long) whole(BLOCK) * width);
        var vRows = scratch.floats(Use.LEFT_2, (long) whole(BLOCK) * width);
        var kTurned = scratch.floats(Use.LEFT_3, (long) BLOCK * whole(width));
        var scores = scratch.floats(Use.TILE, (long) whole(BLOCK) * COLUMNS);
        var dp = scratch.floats(Use.TILE_2, (long) whole(BLOCK) * COLUMNS);
        var sums = scratch.floats(Use.SUMS, (long) panels * each);
        Arrays.fill(sums, 0, panels * each, 0f);

        for (int key = 0; key < keys; key += BLOCK) {
            int n = Math.min(BLOCK, keys - key);
            kHead.rows(kRows, key, n);
            vHead.rows(vRows, key, n);
            kHead.turnedRows(kTurned, key, n);
            for (int p = 0; p < panels; p++) {
                int wide = Math.min(COLUMNS, count - p * COLUMNS);
                product(kRows, n, width, queries, p * COLUMNS * width, Pack.padded(wide), wide, scores, 0, false);
                product(vRows, n, width, dys, p * COLUMNS * width, Pack.padded(wide), wide, dp, 0, false);
                for (int c = 0; c < wide; c += LANES) {
                    var minus = FloatVector.fromArray(SPECIES, statistics, p * COLUMNS + c);
                    var less = FloatVector.fromArray(SPECIES, statistics, all + p * COLUMNS + c);
                    for (int i = 0; i < n; i++) {
                        int at = i * COLUMNS + c;
                        var probability = VectorMath.exp(
                                FloatVector.fromArray(SPECIES, scores, at).fma(FloatVector.broadcast(SPECIES, scale), minus));
                        FloatVector.fromArray(SPECIES, dp, at).sub(less).mul(probability).intoArray(dp, at);
                    }
                }
                product(kTurned, width, n, dp, 0, COLUMNS, wide, sums, p * each, true);
            }
        }
        store(Head.of(dq, s, s.length(), item), sums, each, first, count, scale);
    }

    /// dk and dv of the keys `first … first + count - 1` of one head: keys are columns, queries are rows.
    private void toKeys(MemorySegment dk, MemorySegment dv, float[] delta, long item, int first, int count) {
        int length = (int) s.length();
        int panels = (count + COLUMNS - 1) / COLUMNS;
        int each = whole(width) * COLUMNS;
        var qHead = Head.of(q, s, length, item);
        var dyHead = Head.of(dy, s, length, item);
        var scratch = Scratch.mine();
        var keys = scratch.floats(Use.RIGHT, (long) panels * COLUMNS * width);
        var values = scratch.floats(Use.RIGHT_2, (long) panels * COLUMNS * width);
        Head.of(k, s, s.keys(), item).columns(keys, first, count);
        Head.of(v, s, s.keys(), item).columns(values, first, count);
        var qRows = scratch.floats(Use.LEFT, (long) whole(BLOCK) * width);
        var dyRows = scratch.floats(Use.LEFT_2, (long) whole(BLOCK) * width);
        var qTurned = scratch.floats(Use.LEFT_3, (long) BLOCK * whole(width));
        var dyTurned = scratch.floats(Use.LEFT_4, (long) BLOCK * whole(width));
        var scores = scratch.floats(Use.TILE, (long) whole(BLOCK) * COLUMNS);
        var dp = scratch.floats(Use.TILE_2, (long) whole(BLOCK) * COLUMNS);
        var dkSums = scratch.floats(Use.SUMS, (long) panels * each);
        var dvSums = scratch.floats(Use.SUMS_2, (long) panels * each);
        Arrays.fill(dkSums, 0, panels * each, 0f);
        Arrays.fill(dvSums, 0, panels * each, 0f);

        for (int query = 0; query < length; query += BLOCK) {
            int n = Math.min(BLOCK, length - query);
            qHead.rows(qRows, query, n);
            dyHead.rows(dyRows, query, n);
            qHead.turnedRows(qTurned, query, n);
            dyHead.turnedRows(dyTurned, query, n);
            for (int p = 0; p < panels; p++) {
                int wide = Math.min(COLUMNS, count - p * COLUMNS);
                product(qRows, n, width, keys, p * COLUMNS * width, Pack.padded(wide), wide, scores, 0, false);
                product(dyRows, n, width, values, p * COLUMNS * width, Pack.padded(wide), wide, dp, 0, false);
                for (int i = 0; i < n; i++) {
                    float minus = -logsumexp.getAtIndex(FLOAT, item * length + query + i);
                    float less = delta[(int) (item * length) + query + i];
                    for (int c = 0; c < wide; c += LANES) {
                        int at = i * COLUMNS + c;
                        var probability = VectorMath.exp(
                                FloatVector.fromArray(SPECIES, scores, at)
                                        .fma(FloatVector.broadcast(SPECIES, scale), FloatVector.broadcast(SPECIES, minus)));
                        probability.intoArray(scores, at);
                        FloatVector.fromArray(SPECIES, dp, at).sub(less).mul(probability).intoArray(dp, at);
                    }
                }
                product(dyTurned, width, n, scores, 0, COLUMNS, wide, dvSums, p * each, true);
                product(qTurned, width, n, dp, 0, COLUMNS, wide, dkSums, p * each, true);
            }
        }
        store(Head.of(dk, s, s.keys(), item), dkSums, each, first, count, scale);
        store(Head.of(dv, s, s.keys(), item), dvSums, each, first, count, 1f);
    }

    private void store(Head to, float[] sums, int each, int first, int count, float factor) {
        for (int j = 0; j < count; j += COLUMNS) {
            int wide = Math.min(COLUMNS, count - j);
            int at = j / COLUMNS * each;
            for (int c = 0; c < wide; c += LANES) FlashAttention.scale(sums, at + c, width, FloatVector.broadcast(SPECIES, factor));
            to.store(sums, at, first + j, wide);
        }
    }
}
