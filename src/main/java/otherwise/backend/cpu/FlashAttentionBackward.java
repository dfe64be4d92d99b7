package otherwise.backend.cpu;

import static otherwise.backend.cpu.FlashAttention.BLOCK;
import static otherwise.backend.cpu.FlashAttention.product;
import static otherwise.backend.cpu.FlashAttention.whole;
import static otherwise.backend.cpu.GemmKernel.COLUMNS;
import static otherwise.backend.cpu.GemmKernel.ROWS;
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

/// The way back through [FlashAttention]: the probabilities are computed again, block by block, from the scores s and their logsumexp.
///
///     p = exp(s − logsumexp)                 dv = pᵀ dy      dp = dy vᵀ      ds = p · (dp − δ)      δ = Σ over the width of dy · y
///     dq = scale · ds k                      dk = scale · dsᵀ q      dbias = ds, summed over the batch
///
/// Keys are columns, queries are rows. A task goes over a share of the keys of one head, group by group, and for each group over all
/// queries: dk and dv of a group are summed up in the cache, dq in memory of the task's own. Where there are few heads, several tasks share
/// one, and their sums are added in order: how many depends on the sizes alone, so every result is the same sum in the same order for any
/// number of threads. Where a gradient to the bias is wanted, a task takes its share of one head's keys in all batch entries, one after the
/// other, so that it alone adds to its part of it.
final class FlashAttentionBackward {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
    /// Panels of keys of a group.
    private static final int GROUP = 4;

    /// How many tasks there should be at least, if their sums for dq are not too large.
    private static final long TASKS = 16;

    /// Floats of all these sums, where more than one task has to do with a head.
    private static final long SHARED = 1L << 24;

    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private final MemorySegment dy;
    private final MemorySegment y;
    private final MemorySegment logsumexp;
    private final MemorySegment q;
    private final MemorySegment k;
    private final MemorySegment v;
    private final ScoreBias added;
    private final AttentionSpec s;
    private final int width;
    private final float scale;

    FlashAttentionBackward(
            MemorySegment dy, MemorySegment y, MemorySegment logsumexp, MemorySegment q, MemorySegment k, MemorySegment v,
            ScoreBias added, AttentionSpec s) {
        this.dy = dy;
        this.y = y;
        this.logsumexp = logsumexp;
        this.q = q;
        this.k = k;
        this.v = v;
        this.added = added;
        this.s = s;
        width = (int) s.width();
        scale = (float) s.scale();
    }

    void run(Parallel parallel, MemorySegment dq, MemorySegment dk, MemorySegment dv, MemorySegment dbias) {
        long heads = s.batch() * s.heads();
        int length = Math.toIntExact(s.length());
        int keys = Math.toIntExact(s.keys());
        // δ, in the order of the logsumexp: [batch, heads, length]
        var delta = Scratch.mine().floats(Use.SHARED, heads * length);
        parallel.range(heads, Math.max(1, 20_000 / Math.max(1, s.length() * s.width())), (from, to) -> {
            for (long i = from; i < to; i++) delta(delta, i, length);
        });

        if (dbias != null) dbias.fill((byte) 0);
        if (heads * length * width == 0) {
            zero(dk, heads, keys);
            zero(dv, heads, keys);
            return;
        }
        int groups = (keys + GROUP * COLUMNS - 1) / (GROUP * COLUMNS);
        long floats = (long) whole(length) * Pack.padded(width);
        // Items of one task differ by this.
        long apart = dbias == null ? heads : s.heads();
        long wanted = Math.min(Math.ceilDiv(TASKS, apart), Math.max(1, SHARED / (heads * floats)));
        int share = Math.ceilDiv(groups, Math.clamp(wanted, 1, Math.max(1, groups)));
        int shares = Math.max(1, Math.ceilDiv(groups, Math.max(1, share)));
        var shared = shares == 1 ? null : Scratch.mine().floats(Use.SHARED_2, heads * shares * floats);
        parallel.tasks(apart * shares, task -> {
            int first = (int) (task % shares) * share;
            for (long item = task / shares; item < heads; item += apart) {
                var sums = shared == null ? Scratch.mine().floats(Use.SUMS_3, floats) : shared;
                int at = shared == null ? 0 : Math.toIntExact((item * shares + task % shares) * floats);
                Arrays.fill(sums, at, at + (int) floats, 0f);
                for (int g = first; g < Math.min(groups, first + share); g++) {
                    keys(dk, dv, dbias, sums, at, delta, item, g * GROUP * COLUMNS);
                }
                if (shared == null) storeQueries(dq, item, 0, length, sums, 0, 1, 0);
            }
        });
        if (shared != null) {
            parallel.range(heads * length, Math.max(1, 20_000 / width), (from, to) -> {
                for (long row = from; row < to; row++) {
                    int token = (int) (row % length);
                    int at = (int) (row / length * shares * floats);
                    storeQueries(dq, row / length, token, 1, shared, at, shares, (int) floats);
                }
            });
        }
    }

    private void zero(MemorySegment x, long heads, int tokens) {
        for (long item = 0; item < heads; item++) Head.of(x, s, tokens, item).zero(0, tokens);
    }

    /// Tokens `first … first + count - 1` of dq: the sums of all shares, in their order.
    private void storeQueries(MemorySegment dq, long item, int first, int count, float[] sums, int at, int shares, int apart) {
        var head = Head.of(dq, s, s.length(), item);
        int pitch = Pack.padded(width);
        for (int i = first; i < first + count; i++) {
            long row = head.first() + i * head.stride();
            for (int d = 0; d < width; d += LANES) {
                var in = SPECIES.indexInRange(d, width);
                var sum = FloatVector.fromArray(SPECIES, sums, at + i * pitch + d);
                for (int p = 1; p < shares; p++) sum = sum.add(FloatVector.fromArray(SPECIES, sums, at + p * apart + i * pitch + d));
                sum.mul(scale).intoMemorySegment(dq, (row + d) * Float.BYTES, ORDER, in);
            }
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

    /// dk and dv of the group of keys that begins with `first`, and what these keys give to dq and dbias.
    private void keys(
            MemorySegment dk, MemorySegment dv, MemorySegment dbias, float[] dqSums, int dqAt, float[] delta, long item, int first) {
        int end = Math.min(first + GROUP * COLUMNS, Math.toIntExact(s.keys()));
        // Keys that do not count have no gradient.
        int counted = Math.clamp(s.keysOf(item / s.heads()), first, end);
        Head.of(dk, s, s.keys(), item).zero(counted, end - counted);
        Head.of(dv, s, s.keys(), item).zero(counted, end - counted);
        int count = counted - first;
        if (count == 0) return;
        int length = (int) s.length();
        int panels = (count + COLUMNS - 1) / COLUMNS;
        int each = whole(width) * COLUMNS;
        int pitch = Pack.padded(width);
        var qHead = Head.of(q, s, length, item);
        var dyHead = Head.of(dy, s, length, item);
        var kHead = Head.of(k, s, s.keys(), item);
        var scratch = Scratch.mine();
        var keys = scratch.floats(Use.RIGHT, (long) panels * COLUMNS * width);
        var values = scratch.floats(Use.RIGHT_2, (long) panels * COLUMNS * width);
        kHead.columns(keys, first, count);
        Head.of(v, s, s.keys(), item).columns(values, first, count);
        // The keys once more, the width in panels of columns and k running over the keys.
        int wideStep = wideStep();
        var keyRows = scratch.floats(Use.RIGHT_3, (long) count * pitch);
        for (int d = 0; d < width; d += wideStep) {
            int n = Math.min(wideStep, width - d);
            Pack.columns(keyRows, count * d, k, kHead.first() + first * kHead.stride() + d, kHead.stride(), false, n, count);
        }
        var qRows = scratch.floats(Use.LEFT, (long) whole(BLOCK) * width);
        var dyRows = scratch.floats(Use.LEFT_2, (long) whole(BLOCK) * width);
        var qTurned = scratch.floats(Use.LEFT_3, (long) BLOCK * whole(width));
        var dyTurned = scratch.floats(Use.LEFT_4, (long) BLOCK * whole(width));
        var dsRows = scratch.floats(Use.LEFT_5, (long) whole(BLOCK) * count);
        var scores = scratch.floats(Use.TILE, (long) whole(BLOCK) * COLUMNS);
        var ds = scratch.floats(Use.TILE_2, (long) whole(BLOCK) * COLUMNS);
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
                product(dyRows, n, width, values, p * COLUMNS * width, Pack.padded(wide), wide, ds, 0, false);
                int key = first + p * COLUMNS;
                if (added != null) added.addToRows(scores, item, query, n, key, wide);
                probabilities(scores, ds, wide, delta, item * length + query, n);
                if (dbias != null) added.addGradient(dbias, ds, item, query, n, key, wide);
                product(dyTurned, width, n, scores, 0, COLUMNS, wide, dvSums, p * each, true);
                product(qTurned, width, n, ds, 0, COLUMNS, wide, dkSums, p * each, true);
                for (int r = 0; r < n; r += ROWS) {
                    int to = r * count + p * COLUMNS * ROWS;
                    Turn.turn(dsRows, to, ROWS, ds, r * COLUMNS, COLUMNS, Math.min(ROWS, n - r), wide, ROWS);
                }
            }
            for (int d = 0; d < width; d += wideStep) {
                int wide = Math.min(wideStep, width - d);
                var starts = Pack.rowStarts(wide);
                for (int r = 0; r < n; r += ROWS) {
                    GemmKernel.tile(
                            Math.min(ROWS, n - r), wide, count, dsRows, r * count, keyRows, count * d, starts, 0, dqSums,
                            dqAt + (query + r) * pitch + d, pitch, true);
                }
            }
        }
        store(Head.of(dk, s, s.keys(), item), dkSums, each, first, count, scale);
        store(Head.of(dv, s, s.keys(), item), dvSums, each, first, count, 1f);
    }

    /// Columns of a panel of the width: as few panels as there can be, all about as wide, since narrow ones leave the processor waiting.
    private int wideStep() {
        int vectors = Pack.padded(width) / LANES;
        int panels = (vectors + 2) / 3;
        return (vectors + panels - 1) / panels * LANES;
    }

    /// Turns scores into probabilities, and dp into ds.
    private void probabilities(float[] scores, float[] ds, int wide, float[] delta, long query, int n) {
        var factor = FloatVector.broadcast(SPECIES, added == null ? scale : 1f);
        for (int i = 0; i < n; i++) {
            float minus = -logsumexp.getAtIndex(FLOAT, query + i);
            float less = delta[(int) query + i];
            for (int c = 0; c < wide; c += LANES) {
                int at = i * COLUMNS + c;
                var probability = VectorMath.exp(
                        FloatVector.fromArray(SPECIES, scores, at)
                                .fma(factor, FloatVector.broadcast(SPECIES, minus)));
                probability.intoArray(scores, at);
                FloatVector.fromArray(SPECIES, ds, at).sub(less).mul(probability).intoArray(ds, at);
            }
        }
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
