package otherwise.backend.cpu;

import static otherwise.backend.cpu.VectorMath.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import otherwise.backend.AttentionSpec;

/// Attention a block of queries at a time: scores exist for one block only, never length × keys.
///
///     p = exp(scale · q kᵀ − logsumexp)        y = p v
///     dv = pᵀ dy        ds = p · (dy vᵀ − Σ dy·y) · scale        dq = ds k        dk = dsᵀ q
///
/// A task owns one head of one batch entry, forward and backward, so every sum has one order whatever the number of threads.
final class FlashAttention {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    /// Scores held at once: a quarter of a megabyte.
    private static final int BLOCK = 1 << 16;

    private static final ThreadLocal<float[][]> BUFFERS = ThreadLocal.withInitial(() -> new float[12][0]);

    private FlashAttention() {}

    static void forward(
            Parallel parallel, MemorySegment y, MemorySegment lse, MemorySegment q, MemorySegment k, MemorySegment v, AttentionSpec s) {
        parallel.tasks(s.batch() * s.heads(), task -> {
            long b = task / s.heads();
            long h = task % s.heads();
            var head = new Head(s, b, h);
            head.forward(y, lse, q, k, v);
        });
    }

    static void backward(
            Parallel parallel,
            MemorySegment dq,
            MemorySegment dk,
            MemorySegment dv,
            MemorySegment dy,
            MemorySegment y,
            MemorySegment lse,
            MemorySegment q,
            MemorySegment k,
            MemorySegment v,
            AttentionSpec s) {
        parallel.tasks(s.batch() * s.heads(), task -> {
            long b = task / s.heads();
            long h = task % s.heads();
            new Head(s, b, h).backward(dq, dk, dv, dy, y, lse, q, k, v);
        });
    }

    /// One head of one batch entry, copied into padded arrays.
    private static final class Head {
        private final AttentionSpec spec;
        private final long b;
        private final long h;
        /// Rows of queries, keys that count, head width; padded keys and width.
        private final int rows;

        private final int keys;
        private final int width;
        private final int keysPadded;
        private final int widthPadded;
        private final int block;
        private final float[][] buffers = BUFFERS.get();

        Head(AttentionSpec spec, long b, long h) {
            this.spec = spec;
            this.b = b;
            this.h = h;
            rows = Math.toIntExact(spec.length());
            keys = Math.toIntExact(spec.keysOf(b));
            width = Math.toIntExact(spec.width());
            keysPadded = SmallGemm.padded(keys);
            widthPadded = SmallGemm.padded(width);
            block = Math.clamp(keysPadded == 0 ? 8 : BLOCK / keysPadded / 8 * 8L, 8, 128);
        }

        private float[] buffer(int i, long size) {
            if (buffers[i].length < size) buffers[i] = new float[Math.toIntExact(size)];
            return buffers[i];
        }

        private long offset(long tokens, long token) {
            return 4 * (((b * tokens + token) * spec.heads() + h) * width);
        }

        /// Tokens `from … from+n-1` as rows of `widthPadded`, times `scale`; the padding is zero.
        private float[] rowsOf(int buffer, MemorySegment x, long tokens, int from, int n, float scale) {
            var to = buffer(buffer, (long) n * widthPadded);
            for (int r = 0; r < n; r++) {
                int at = r * widthPadded;
                MemorySegment.copy(x, FLOAT, offset(tokens, from + r), to, at, width);
                for (int d = width; d < widthPadded; d++) to[at + d] = 0;
                if (scale != 1) for (int d = 0; d < width; d++) to[at + d] *= scale;
            }
            return to;
        }

        /// The keys (or values) as columns: `[width, keysPadded]`, the padding zero.
        private float[] columnsOf(int buffer, float[] rowwise) {
            var to = buffer(buffer, (long) width * keysPadded);
            for (int d = 0; d < width; d++) {
                for (int j = 0; j < keys; j++) to[d * keysPadded + j] = rowwise[j * widthPadded + d];
                for (int j = keys; j < keysPadded; j++) to[d * keysPadded + j] = 0;
            }
            return to;
        }

        private void put(float[] from, MemorySegment x, long tokens, int first, int n) {
            for (int r = 0; r < n; r++) MemorySegment.copy(from, r * widthPadded, x, FLOAT, offset(tokens, first + r), width);
        }

        private long lseOffset(int row) {
            return 4 * ((b * spec.heads() + h) * spec.length() + row);
        }

        void forward(MemorySegment y, MemorySegment lse, MemorySegment q, MemorySegment k, MemorySegment v) {
            var columns = columnsOf(1, rowsOf(0, k, spec.keys(), 0, keys, 1));
            var values = rowsOf(0, v, spec.keys(), 0, keys, 1);
            var scores = buffer(2, (long) block * keysPadded);
            var out = buffer(3, (long) block * widthPadded);
            for (int i = 0; i < rows; i += block) {
                int n = Math.min(block, rows - i);
                var queries = rowsOf(4, q, spec.length(), i, n, (float) spec.scale());
                SmallGemm.multiply(scores, 0, keysPadded, queries, 0, widthPadded, 1, columns, 0, keysPadded, n, keysPadded, width, false);
                for (int r = 0; r < n; r++) lse.set(FLOAT, lseOffset(i + r), softmax(scores, r * keysPadded));
                SmallGemm.multiply(out, 0, widthPadded, scores, 0, keysPadded, 1, values, 0, widthPadded, n, widthPadded, keys, false);
                put(out, y, spec.length(), i, n);
            }
        }

        /// Turns a row of scores into weights; returns the logarithm of the sum of their exponentials.
        private float softmax(float[] x, int from) {
            if (keys == 0) return Float.NEGATIVE_INFINITY;
            float max = Float.NEGATIVE_INFINITY;
            for (int j = 0; j < keys; j++) max = Math.max(max, x[from + j]);
            exponentials(x, from, max);
            var sums = FloatVector.zero(VectorMath.SPECIES);
            for (int j = 0; j < keysPadded; j += LANES) sums = sums.add(FloatVector.fromArray(VectorMath.SPECIES, x, from + j));
            float sum = VectorMath.sum(sums);
            float inverse = 1 / sum;
            for (int j = 0; j < keysPadded; j += LANES) FloatVector.fromArray(VectorMath.SPECIES, x, from + j).mul(inverse).intoArray(x, from + j);
            return max + (float) Math.log(sum);
        }

        /// x = exp(x − shift); zeros beyond the keys that count.
        private void exponentials(float[] x, int from, float shift) {
            for (int j = 0; j < keysPadded; j += LANES) {
                VectorMath.exp(FloatVector.fromArray(VectorMath.SPECIES, x, from + j).sub(shift)).intoArray(x, from + j);
            }
            for (int j = keys; j < keysPadded; j++) x[from + j] = 0;
        }

        void backward(
                MemorySegment dq,
                MemorySegment dk,
                MemorySegment dv,
                MemorySegment dy,
                MemorySegment y,
                MemorySegment lse,
                MemorySegment q,
                MemorySegment k,
                MemorySegment v) {
            int all = Math.toIntExact(spec.keys());
            var keysByRow = rowsOf(0, k, spec.keys(), 0, keys, 1);
            var keysByColumn = columnsOf(1, keysByRow);
            var valuesByColumn = columnsOf(5, rowsOf(6, v, spec.keys(), 0, keys, 1));
            var toKeys = buffer(7, (long) all * widthPadded);
            var toValues = buffer(8, (long) all * widthPadded);
            java.util.Arrays.fill(toKeys, 0, all * widthPadded, 0);
            java.util.Arrays.fill(toValues, 0, all * widthPadded, 0);
            var p = buffer(2, (long) block * keysPadded);
            var ds = buffer(9, (long) block * keysPadded);
            var out = buffer(3, (long) block * widthPadded);
            float scale = (float) spec.scale();
            for (int i = 0; i < rows; i += block) {
                int n = Math.min(block, rows - i);
                var queries = rowsOf(4, q, spec.length(), i, n, scale);
                var upstream = rowsOf(10, dy, spec.length(), i, n, 1);
                var result = rowsOf(11, y, spec.length(), i, n, 1);
                SmallGemm.multiply(p, 0, keysPadded, queries, 0, widthPadded, 1, keysByColumn, 0, keysPadded, n, keysPadded, width, false);
                SmallGemm.multiply(ds, 0, keysPadded, upstream, 0, widthPadded, 1, valuesByColumn, 0, keysPadded, n, keysPadded, width, false);
                for (int r = 0; r < n; r++) {
                    if (keys > 0) exponentials(p, r * keysPadded, lse.get(FLOAT, lseOffset(i + r)));
                    float delta = 0;
                    for (int d = 0; d < width; d++) delta += upstream[r * widthPadded + d] * result[r * widthPadded + d];
                    for (int j = r * keysPadded; j < (r + 1) * keysPadded; j += LANES) {
                        var weight = FloatVector.fromArray(VectorMath.SPECIES, p, j);
                        FloatVector.fromArray(VectorMath.SPECIES, ds, j).sub(delta).mul(weight).intoArray(ds, j);
                    }
                }
                SmallGemm.multiply(toValues, 0, widthPadded, p, 0, 1, keysPadded, upstream, 0, widthPadded, keys, widthPadded, n, true);
                // The queries carry the scale already, so it is in dk; dq takes it here.
                SmallGemm.multiply(toKeys, 0, widthPadded, ds, 0, 1, keysPadded, queries, 0, widthPadded, keys, widthPadded, n, true);
                SmallGemm.multiply(out, 0, widthPadded, ds, 0, keysPadded, 1, keysByRow, 0, widthPadded, n, widthPadded, keys, false);
                for (int d = 0; d < n * widthPadded; d++) out[d] *= scale;
                put(out, dq, spec.length(), i, n);
            }
            put(toKeys, dk, spec.keys(), 0, all);
            put(toValues, dv, spec.keys(), 0, all);
        }
    }
}
