package otherwise.backend.cpu;

import static otherwise.backend.cpu.GemmKernel.COLUMNS;
import static otherwise.backend.cpu.GemmKernel.ROWS;
import static otherwise.backend.cpu.Pack.DEPTH;
import static otherwise.backend.cpu.VectorMath.LANES;
import static otherwise.backend.cpu.VectorMath.SPECIES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import otherwise.backend.MatmulSpec;
import otherwise.backend.cpu.Scratch.Use;

/// Matrix products: packed panels, cache blocks, and tiles in registers (Goto & van de Geijn 2008).
///
/// Work is split over rows, columns and batch, never over k, and k goes in blocks of [Pack#DEPTH] from the first to the last. Which path
/// a product takes depends on its sizes alone. So every element of y is the same sum in the same order for any number of threads.
final class Gemm {
    /// Up to so many rows, the tiles of [GemmKernel] would be mostly empty and packing b would be most of the work.
    private static final long FEW_ROWS = 4;

    /// As [#FEW_ROWS] where b is stored transposed, which is dearer to pack.
    private static final long FEW_ROWS_TRANSPOSED = 12;

    /// Floats of b that are packed at a time: 16 MiB, for at any width a is packed again.
    private static final long PACKED = 1L << 22;

    /// Rows of b that are packed at a time.
    private static final long LONG = 4L * DEPTH;

    /// Products of fewer multiply-adds than this are not split; a batch of them is.
    private static final double SMALL = 4e6;

    /// The least work worth handing to another thread, in multiply-adds.
    private static final double TASK = 5e5;

    /// Rows of a task at most: its block of a, 96 · 384 floats, and its sums stay in a second-level cache of 1 MiB while panels of b go by.
    private static final long BLOCK_ROWS = 96;

    /// Panels of b of a task at most.
    private static final long BLOCK_PANELS = 16;

    /// How many tasks a product should fall into at least, if they are large enough.
    private static final long TASKS = 16;

    /// Where the halving of rows ends.
    private static final long LEAST_ROWS = 48;

    private static final long VECTOR = (long) LANES * Float.BYTES;

    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    /// Runs everything on the calling thread, for what is already one task of many.
    private static final Parallel ALONE = new Parallel(1);

    private Gemm() {}

    /// y = op(a) · op(b) (+ bias) (+ y): see [otherwise.backend.Backend#matmul].
    static void matmul(
            Parallel parallel, MemorySegment y, MemorySegment a, MemorySegment b, MemorySegment bias, MatmulSpec s, boolean accumulate) {
        if (s.batch() * s.m() * s.n() == 0) return;
        var spec = s.tall();
        double work = (double) spec.m() * spec.n() * Math.max(1, spec.k());
        if (spec.batch() == 1 || work > SMALL) {
            for (long i = 0; i < spec.batch(); i++) Product.of(spec, i, y, a, b, bias, accumulate).run(parallel);
        } else {
            parallel.range(spec.batch(), Math.max(1, (long) (TASK / work)), (from, to) -> {
                for (long i = from; i < to; i++) Product.of(spec, i, y, a, b, bias, accumulate).run(ALONE);
            });
        }
    }

    /// One product of a batch: where its matrices begin, and the distance of their stored rows.
    private record Product(
            MemorySegment y,
            long y0,
            MemorySegment a,
            long a0,
            long strideA,
            boolean transposeA,
            MemorySegment b,
            long b0,
            long strideB,
            boolean transposeB,
            MemorySegment bias,
            boolean accumulate,
            long m,
            long n,
            long k) {

        static Product of(
                MatmulSpec s, long item, MemorySegment y, MemorySegment a, MemorySegment b, MemorySegment bias, boolean accumulate) {
            return new Product(
                    y, item * s.m() * s.n(), a, item * s.strideA(), s.transposeA() ? s.m() : s.k(), s.transposeA(), b, item * s.strideB(),
                    s.transposeB() ? s.k() : s.n(), s.transposeB(), bias, accumulate, s.m(), s.n(), s.k());
        }

        void run(Parallel team) {
            if (m <= FEW_ROWS || (m <= FEW_ROWS_TRANSPOSED && transposeB)) {
                fewRows(team);
                return;
            }
            long k0 = 0;
            do {
                int depth = (int) Math.min(LONG, k - k0);
                long width = Math.max(COLUMNS, PACKED / Math.max(1, depth) / COLUMNS * COLUMNS);
                for (long j = 0; j < n; j += width) columns(team, j, (int) Math.min(width, n - j), k0, depth);
                k0 += LONG;
            } while (k0 < k);
        }

        /// What `k0 … k0 + depth - 1` give to the columns `first … first + count - 1` of y: packs those of b once for all, then goes over
        /// blocks of rows.
        private void columns(Parallel team, long first, int count, long k0, int depth) {
            int panels = (count + COLUMNS - 1) / COLUMNS;
            var packed = Scratch.mine().floats(Use.SHARED, (long) panels * COLUMNS * depth);
            team.range(panels, Math.max(1, 20_000 / ((long) COLUMNS * Math.max(1, depth))), (from, to) -> {
                for (int p = (int) from; p < to; p++) {
                    long j = first + (long) p * COLUMNS;
                    int wide = Math.min(COLUMNS, count - p * COLUMNS);
                    long corner = b0 + (transposeB ? j * strideB + k0 : k0 * strideB + j);
                    Pack.columns(packed, p * COLUMNS * depth, b, corner, strideB, transposeB, wide, depth);
                }
            });

            // Tasks as large as the caches like them, halved until there are enough. Rows first, down to where packed columns are still
            // used several times for each time they are fetched; then columns.
            long rows = Math.min(m, BLOCK_ROWS);
            long share = Math.min(panels, BLOCK_PANELS);
            while (tasks(rows, share, panels) < TASKS && (double) rows * share * COLUMNS * depth > 2 * TASK) {
                if (rows > LEAST_ROWS) rows = (rows + 1) / 2;
                else if (share > 2) share = (share + 1) / 2;
                else break;
            }
            long tall = (rows + ROWS - 1) / ROWS * ROWS;
            long wide = share;
            long shares = (panels + wide - 1) / wide;
            team.tasks(tasks(tall, wide, panels), task -> {
                long i = task / shares * tall;
                int p = (int) (task % shares * wide);
                block(packed, first, count, k0, depth, i, (int) Math.min(tall, m - i), p, (int) Math.min(panels, p + wide));
            });
        }

        private long tasks(long rows, long share, long panels) {
            return ((m + rows - 1) / rows) * ((panels + share - 1) / share);
        }

        /// The rows `i … i + rows - 1` of y for the panels `from … to - 1` of packed columns. The sums stay near until k has run its
        /// course; y is touched once.
        private void block(float[] packed, long first, int count, long k0, int depth, long i, int rows, int from, int to) {
            var scratch = Scratch.mine();
            long padded = (rows + ROWS - 1L) / ROWS * ROWS;
            int width = (to - from) * COLUMNS;
            var panel = scratch.floats(Use.LEFT, padded * Math.min(DEPTH, depth));
            var sums = scratch.floats(Use.SUMS, padded * width);
            int kb = 0;
            do {
                int kn = Math.min(DEPTH, depth - kb);
                long k1 = k0 + kb;
                Pack.rows(panel, a, a0 + (transposeA ? k1 * strideA + i : i * strideA + k1), strideA, transposeA, rows, kn);
                for (int p = from; p < to; p++) {
                    int wide = Math.min(COLUMNS, count - p * COLUMNS);
                    int at = p * COLUMNS * depth + kb * Pack.padded(wide);
                    var starts = Pack.rowStarts(wide);
                    for (int r = 0; r < rows; r += ROWS) {
                        int c = r * width + (p - from) * COLUMNS;
                        GemmKernel.tile(Math.min(ROWS, rows - r), wide, kn, panel, r * kn, packed, at, starts, 0, sums, c, width, kb > 0);
                    }
                }
                kb += DEPTH;
            } while (kb < depth);
            long j = first + (long) from * COLUMNS;
            int wide = Math.min(width, count - from * COLUMNS);
            for (int r = 0; r < rows; r++) store(sums, r * width, i + r, j, wide, k0 == 0);
        }

        /// Brings a row of sums to y; the first part of k sets y, unless y is to be added to, the later ones add.
        private void store(float[] sums, int from, long i, long j, int wide, boolean first) {
            boolean add = accumulate || !first;
            var bias = first ? this.bias : null;
            long row = y0 + i * n + j;
            int c = 0;
            for (; c + LANES <= wide; c += LANES) {
                var v = FloatVector.fromArray(SPECIES, sums, from + c);
                if (bias != null) v = v.add(FloatVector.fromMemorySegment(SPECIES, bias, (j + c) * Float.BYTES, ORDER));
                if (add) v = v.add(FloatVector.fromMemorySegment(SPECIES, y, (row + c) * Float.BYTES, ORDER));
                v.intoMemorySegment(y, (row + c) * Float.BYTES, ORDER);
            }
            if (c < wide) {
                var in = SPECIES.indexInRange(c, wide);
                var v = FloatVector.fromArray(SPECIES, sums, from + c);
                if (bias != null) v = v.add(FloatVector.fromMemorySegment(SPECIES, bias, (j + c) * Float.BYTES, ORDER, in));
                if (add) v = v.add(FloatVector.fromMemorySegment(SPECIES, y, (row + c) * Float.BYTES, ORDER, in));
                v.intoMemorySegment(y, (row + c) * Float.BYTES, ORDER, in);
            }
        }

        /// Without packing b: its rows are read where they lie, once for all rows of a.
        private void fewRows(Parallel team) {
            int depth = Math.toIntExact(k);
            int rows = (int) m;
            // a as dense rows, for all tasks
            var dense = Scratch.mine().floats(Use.SHARED, (long) rows * depth);
            for (int r = 0; r < rows; r++) {
                if (transposeA) {
                    for (int i = 0; i < depth; i++) dense[r * depth + i] = a.getAtIndex(FLOAT, a0 + i * strideA + r);
                } else {
                    MemorySegment.copy(a, FLOAT, (a0 + r * strideA) * Float.BYTES, dense, r * depth, depth);
                }
            }
            long grain = Math.max(COLUMNS, (long) (TASK / ((double) m * Math.max(1, k))));
            team.range(n, (grain + COLUMNS - 1) / COLUMNS * COLUMNS, (from, to) -> {
                var tile = Scratch.mine().floats(Use.TILE, (long) ROWS * COLUMNS);
                for (long j = from; j < to; j += COLUMNS) {
                    int wide = (int) Math.min(COLUMNS, to - j);
                    for (int r = 0; r < rows; r++) {
                        if (transposeB) dots(tile, dense, r * depth, b, b0 + j * strideB, strideB, wide, depth);
                        else combination(tile, dense, r * depth, b, b0 + j, strideB, wide, depth);
                        store(tile, 0, r, j, wide, true);
                    }
                }
            });
        }
    }

    /// `to[j]` = Σ over i < k of x[x0 + i] · b[from + j·stride + i]
    private static void dots(float[] to, float[] x, int x0, MemorySegment b, long from, long stride, int wide, int k) {
        int j = 0;
        for (; j + 4 <= wide; j += 4) {
            long b0 = from + j * stride, b1 = b0 + stride, b2 = b1 + stride, b3 = b2 + stride;
            var s0 = FloatVector.zero(SPECIES);
            var s1 = s0;
            var s2 = s0;
            var s3 = s0;
            for (int i = 0; i < k; i += LANES) {
                if (i + LANES <= k) {
                    var v = FloatVector.fromArray(SPECIES, x, x0 + i);
                    s0 = v.fma(FloatVector.fromMemorySegment(SPECIES, b, (b0 + i) * Float.BYTES, ORDER), s0);
                    s1 = v.fma(FloatVector.fromMemorySegment(SPECIES, b, (b1 + i) * Float.BYTES, ORDER), s1);
                    s2 = v.fma(FloatVector.fromMemorySegment(SPECIES, b, (b2 + i) * Float.BYTES, ORDER), s2);
                    s3 = v.fma(FloatVector.fromMemorySegment(SPECIES, b, (b3 + i) * Float.BYTES, ORDER), s3);
                } else {
                    var in = SPECIES.indexInRange(i, k);
                    var v = FloatVector.fromArray(SPECIES, x, x0 + i, in);
                    s0 = v.fma(FloatVector.fromMemorySegment(SPECIES, b, (b0 + i) * Float.BYTES, ORDER, in), s0);
                    s1 = v.fma(FloatVector.fromMemorySegment(SPECIES, b, (b1 + i) * Float.BYTES, ORDER, in), s1);
                    s2 = v.fma(FloatVector.fromMemorySegment(SPECIES, b, (b2 + i) * Float.BYTES, ORDER, in), s2);
                    s3 = v.fma(FloatVector.fromMemorySegment(SPECIES, b, (b3 + i) * Float.BYTES, ORDER, in), s3);
                }
            }
            to[j] = VectorMath.sum(s0);
            to[j + 1] = VectorMath.sum(s1);
            to[j + 2] = VectorMath.sum(s2);
            to[j + 3] = VectorMath.sum(s3);
        }
        for (; j < wide; j++) {
            var s = FloatVector.zero(SPECIES);
            for (int i = 0; i < k; i += LANES) {
                var in = SPECIES.indexInRange(i, k);
                var v = FloatVector.fromArray(SPECIES, x, x0 + i, in);
                s = v.fma(FloatVector.fromMemorySegment(SPECIES, b, (from + j * stride + i) * Float.BYTES, ORDER, in), s);
            }
            to[j] = VectorMath.sum(s);
        }
    }

    /// `to[j]` = Σ over i < k of x[x0 + i] · b[from + i·stride + j]
    private static void combination(float[] to, float[] x, int x0, MemorySegment b, long from, long stride, int wide, int k) {
        if (wide == COLUMNS) {
            var s0 = FloatVector.zero(SPECIES);
            var s1 = s0;
            var s2 = s0;
            for (int i = 0; i < k; i++) {
                long row = (from + i * stride) * Float.BYTES;
                var v = FloatVector.broadcast(SPECIES, x[x0 + i]);
                s0 = v.fma(FloatVector.fromMemorySegment(SPECIES, b, row, ORDER), s0);
                s1 = v.fma(FloatVector.fromMemorySegment(SPECIES, b, row + VECTOR, ORDER), s1);
                s2 = v.fma(FloatVector.fromMemorySegment(SPECIES, b, row + 2 * VECTOR, ORDER), s2);
            }
            s0.intoArray(to, 0);
            s1.intoArray(to, LANES);
            s2.intoArray(to, 2 * LANES);
            return;
        }
        for (int j = 0; j < wide; j += LANES) {
            var in = SPECIES.indexInRange(j, wide);
            var s = FloatVector.zero(SPECIES);
            for (int i = 0; i < k; i++) {
                var v = FloatVector.fromMemorySegment(SPECIES, b, (from + i * stride + j) * Float.BYTES, ORDER, in);
                s = v.fma(FloatVector.broadcast(SPECIES, x[x0 + i]), s);
            }
            s.intoArray(to, j);
        }
    }
}
