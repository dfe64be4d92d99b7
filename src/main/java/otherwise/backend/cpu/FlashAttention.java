package otherwise.backend.cpu;

import static otherwise.backend.cpu.GemmKernel.COLUMNS;
import static otherwise.backend.cpu.GemmKernel.ROWS;
import static otherwise.backend.cpu.VectorMath.LANES;
import static otherwise.backend.cpu.VectorMath.SPECIES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import otherwise.backend.AttentionSpec;
import otherwise.backend.cpu.Scratch.Use;

/// Attention block by block, with the softmax brought up to date as keys go by (Dao et al. 2022, FlashAttention; Milakov & Gimelshein
/// 2018 for the running softmax). The matrix of scores never exists: only blocks of it do, in the cache. Backward is in
/// [FlashAttentionBackward].
///
/// Scores are computed as `k qᵀ`, a query a column: then the maximum and the sum over the keys are taken for a vector of queries at
/// once, and the block is, as it stands, the right-hand side of `yᵀ += vᵀ · p`.
final class FlashAttention {
    /// Keys of a block: at most [Pack#DEPTH].
    static final int BLOCK = 192;

    /// Panels of queries for which a block of keys is packed at most.
    static final int GROUP = 8;

    /// How many tasks there should be at least.
    private static final long TASKS = 16;

    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

    private FlashAttention() {}

    /// One head of one batch entry in a tensor `[batch, tokens, heads, width]`: a matrix with a row a token.
    record Head(MemorySegment x, long first, long stride, int width) {
        static Head of(MemorySegment x, AttentionSpec s, long tokens, long item) {
            long stride = s.heads() * s.width();
            return new Head(x, item / s.heads() * tokens * stride + item % s.heads() * s.width(), stride, (int) s.width());
        }

        /// Tokens as rows of a left-hand side, k running over the width.
        void rows(float[] to, int token, int count) {
            Pack.rows(to, x, first + token * stride, stride, false, count, width);
        }

        /// The width as rows of a left-hand side, k running over the tokens.
        void turnedRows(float[] to, int token, int count) {
            Pack.rows(to, x, first + token * stride, stride, true, width, count);
        }

        /// Tokens as panels of columns of a right-hand side; panel p begins at `p · COLUMNS · width`.
        void columns(float[] to, int token, int count) {
            for (int j = 0; j < count; j += COLUMNS) {
                Pack.columns(to, j * width, x, first + (token + j) * stride, stride, true, Math.min(COLUMNS, count - j), width);
            }
        }

        /// Writes `count` tokens from columns of `from`, `[width, COLUMNS]`.
        void store(float[] from, int at, int token, int count) {
            var rows = Scratch.mine().floats(Use.ROWS, (long) COLUMNS * width);
            for (int d = 0; d < width; d += ROWS) {
                int n = Math.min(ROWS, width - d);
                Turn.turn(rows, d, width, from, at + d * COLUMNS, COLUMNS, n, count, n);
            }
            for (int i = 0; i < count; i++) {
                Pack.copy(rows, i * width, x, first + (token + i) * stride, width);
            }
        }

        void zero(long token, long count) {
            for (long i = token; i < token + count; i++) {
                x.asSlice((first + i * stride) * Float.BYTES, (long) width * Float.BYTES).fill((byte) 0);
            }
        }
    }

    /// How many columns a task takes, of `columns` for each of `heads` heads: whole panels, as many as share a packing well.
    static int group(long heads, long columns) {
        long panels = (columns + COLUMNS - 1) / COLUMNS;
        return (int) Math.clamp(heads * panels / TASKS, 1, Math.min(GROUP, panels)) * COLUMNS;
    }

    /// c (+)= left · right: `rows` rows, one panel of `wide` columns; rows of c are [GemmKernel#COLUMNS] apart.
    ///
    /// @param width the distance of rows of the right-hand side
    static void product(float[] left, int rows, int k, float[] right, int at, int width, int wide, float[] c, int c0, boolean add) {
        var starts = Pack.rowStarts(width);
        for (int r = 0; r < rows; r += ROWS) {
            for (int i = 0; i < k; i += Pack.DEPTH) {
                GemmKernel.tile(
                        Math.min(ROWS, rows - r), wide, Math.min(Pack.DEPTH, k - i), left, r * k + i * ROWS, right, at + i * width, starts,
                        0,
                        c, c0 + r * COLUMNS, COLUMNS, add || i > 0);
            }
        }
    }

    /// A number of rows rounded up to whole tiles.
    static int whole(int rows) {
        return (rows + ROWS - 1) / ROWS * ROWS;
    }

    static void forward(
            Parallel parallel, MemorySegment y, MemorySegment logsumexp, MemorySegment q, MemorySegment k, MemorySegment v,
            ScoreBias added, AttentionSpec s) {
        if (s.batch() * s.heads() * s.length() == 0) return;
        int group = group(s.batch() * s.heads(), s.length());
        long groups = (s.length() + group - 1) / group;
        parallel.tasks(s.batch() * s.heads() * groups, task -> {
            long item = task / groups;
            int first = (int) (task % groups) * group;
            queries(y, logsumexp, q, k, v, added, s, item, first, (int) Math.min(group, s.length() - first));
        });
    }

    /// The queries `first … first + count - 1` of one head.
    private static void queries(
            MemorySegment y,
            MemorySegment logsumexp,
            MemorySegment q,
            MemorySegment k,
            MemorySegment v,
            ScoreBias added,
            AttentionSpec s,
            long item,
            int first,
            int count) {
        int width = (int) s.width();
        int keys = (int) s.keysOf(item / s.heads());
        float scale = added == null ? (float) s.scale() : 1f;
        int panels = (count + COLUMNS - 1) / COLUMNS;
        Head kHead = Head.of(k, s, s.keys(), item);
        Head vHead = Head.of(v, s, s.keys(), item);
        var scratch = Scratch.mine();
        var queries = scratch.floats(Use.RIGHT, (long) panels * COLUMNS * width);
        Head.of(q, s, s.length(), item).columns(queries, first, count);
        var kRows = scratch.floats(Use.LEFT, (long) whole(BLOCK) * width);
        var vRows = scratch.floats(Use.LEFT_2, (long) BLOCK * whole(width));
        var scores = scratch.floats(Use.TILE, (long) whole(BLOCK) * COLUMNS);
        int each = whole(width) * COLUMNS;
        var sums = scratch.floats(Use.SUMS, (long) panels * each);
        Arrays.fill(sums, 0, panels * each, 0f);
        // The running maximum of every query, then its running denominator.
        int all = panels * COLUMNS;
        var statistics = scratch.floats(Use.STATISTICS, 2L * all);
        Arrays.fill(statistics, 0, all, Float.NEGATIVE_INFINITY);
        Arrays.fill(statistics, all, 2 * all, 0f);

        for (int key = 0; key < keys; key += BLOCK) {
            int n = Math.min(BLOCK, keys - key);
            kHead.rows(kRows, key, n);
            vHead.turnedRows(vRows, key, n);
            for (int p = 0; p < panels; p++) {
                int wide = Math.min(COLUMNS, count - p * COLUMNS);
                product(kRows, n, width, queries, p * COLUMNS * width, Pack.padded(wide), wide, scores, 0, false);
                if (added != null) added.addToColumns(scores, item, first + p * COLUMNS, wide, key, n);
                for (int c = 0; c < wide; c += LANES) {
                    softmax(scores, c, n, scale, statistics, p * COLUMNS + c, all, sums, p * each + c, width);
                }
                product(vRows, width, n, scores, 0, COLUMNS, wide, sums, p * each, true);
            }
        }

        var yHead = Head.of(y, s, s.length(), item);
        for (int p = 0; p < panels; p++) {
            int wide = Math.min(COLUMNS, count - p * COLUMNS);
            for (int c = 0; c < wide; c += LANES) {
                var sum = FloatVector.fromArray(SPECIES, statistics, all + p * COLUMNS + c);
                // Without keys there is nothing to attend to, and the answer is 0.
                scale(sums, p * each + c, width, FloatVector.broadcast(SPECIES, 1f).div(sum.blend(1f, sum.eq(0f))));
            }
            yHead.store(sums, p * each, first + p * COLUMNS, wide);
        }
        for (int i = 0; i < count; i++) {
            float lse = statistics[i] + (float) Math.log(statistics[all + i]);
            logsumexp.setAtIndex(FLOAT, item * s.length() + first + i, lse);
        }
    }

    /// Turns a vector of columns of scores to exp(scale · score − maximum), and what was summed up before to the new maximum.
    private static void softmax(
            float[] scores, int c, int keys, float scale, float[] statistics, int at, int denominators, float[] sums, int s0, int width) {
        var before = FloatVector.fromArray(SPECIES, statistics, at);
        // Two maxima: one would wait for itself in every step.
        var max = before;
        var other = before;
        int key = 0;
        for (; key + 2 <= keys; key += 2) {
            max = max.max(FloatVector.fromArray(SPECIES, scores, key * COLUMNS + c).mul(scale));
            other = other.max(FloatVector.fromArray(SPECIES, scores, (key + 1) * COLUMNS + c).mul(scale));
        }
        if (key < keys) max = max.max(FloatVector.fromArray(SPECIES, scores, key * COLUMNS + c).mul(scale));
        max = max.max(other);
        max.intoArray(statistics, at);

        var minus = max.neg();
        var factor = FloatVector.broadcast(SPECIES, scale);
        var sum = FloatVector.zero(SPECIES);
        for (int i = 0; i < keys; i++) {
            int place = i * COLUMNS + c;
            var p = VectorMath.exp(FloatVector.fromArray(SPECIES, scores, place).fma(factor, minus));
            p.intoArray(scores, place);
            sum = sum.add(p);
        }
        var shrink = VectorMath.exp(before.sub(max));
        FloatVector.fromArray(SPECIES, statistics, denominators + at).fma(shrink, sum).intoArray(statistics, denominators + at);
        scale(sums, s0, width, shrink);
    }

    /// Multiplies a vector of columns by a number a column.
    static void scale(float[] x, int at, int rows, FloatVector factor) {
        for (int r = 0; r < rows; r++) {
            int place = at + r * COLUMNS;
            FloatVector.fromArray(SPECIES, x, place).mul(factor).intoArray(x, place);
        }
    }
}
