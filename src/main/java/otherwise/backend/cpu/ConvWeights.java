package otherwise.backend.cpu;

import static otherwise.backend.cpu.GemmKernel.COLUMNS;
import static otherwise.backend.cpu.GemmKernel.ROWS;
import static otherwise.backend.cpu.VectorMath.LANES;
import static otherwise.backend.cpu.VectorMath.SPECIES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import otherwise.backend.ConvSpec;
import otherwise.backend.cpu.Scratch.Use;

/// The gradients of a convolution to its weights and bias.
///
///     dweight[o, i, tap] = Σ over output positions p of dy[o, p] · x[i, p + tap]
///
/// A product over positions, in which the columns (i, tap) must be neighbours in memory: so a slab of x is turned to channels last. Then
/// the channels of all taps along w lie in one piece, which begins one position further for the next p, and [GemmKernel] runs down it with a
/// table of the positions.
final class ConvWeights {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    /// Sums are taken over at most so many parts of the positions, each from its first to its last, and the parts added in their order:
    /// what the parts are depends on the sizes alone.
    private static final long PARTS = 32;

    /// Floats of all partial sums together.
    private static final long PARTIAL = 1L << 23;

    /// Positions that a call of the kernel goes through.
    private static final int DEPTH = 256;

    private ConvWeights() {}

    static void weight(Parallel parallel, MemorySegment dweight, MemorySegment dy, MemorySegment x, ConvSlab whole, ConvSpec s) {
        int outputs = (int) s.outputs();
        long weights = outputs * s.taps();
        var slab = whole.cut(s.batch(), (double) weights);
        var pieces = new Pieces(slab);
        long items = s.batch() * slab.slabs();
        long parts = Math.clamp(Math.min(items, PARTIAL / weights), 1, PARTS);
        long perPart = (items + parts - 1) / parts;
        long used = (items + perPart - 1) / perPart;
        // With few parts there is nothing to share among threads but the output channels.
        int panels = (outputs + ROWS - 1) / ROWS;
        int share = (int) Math.max(2, panels * used / 16);
        int shares = (panels + share - 1) / share;
        var partial = Scratch.mine().floats(Use.SHARED, used * weights);
        parallel.tasks(used * shares, task -> {
            int part = (int) (task / shares);
            int first = (int) (task % shares) * share * ROWS;
            int last = Math.min(outputs, first + share * ROWS);
            pieces.sum(partial, part * (int) weights, dy, s, part * perPart, Math.min(items, (part + 1) * perPart), first, last);
        });
        parallel.range(weights, 16_384, (from, to) -> {
            for (long i = from; i < to; i += LANES) {
                var in = SPECIES.indexInRange(i, to);
                var sum = FloatVector.fromArray(SPECIES, partial, (int) i, in);
                for (int p = 1; p < used; p++) sum = sum.add(FloatVector.fromArray(SPECIES, partial, (int) (p * weights + i), in));
                sum.intoMemorySegment(dweight, i * Float.BYTES, ORDER, in);
            }
        });
    }

    /// A piece: the channels of all taps along w that share a time step, a row and a phase of w. They are the columns of one product.
    private static final class Pieces {
        private final ConvSlab slab;
        private final int channels;
        private final int phases;
        /// Taps of each phase of w, and the first column of each piece.
        private final int[] columns;

        /// All columns, each piece rounded up to whole vectors.
        private final int width;

        /// Where the positions of a time step lie in a slab with channels last.
        private final int[] positions;

        Pieces(ConvSlab slab) {
            this.slab = slab;
            channels = slab.channels();
            phases = Math.min(slab.strideW(), slab.kernelW());
            columns = new int[slab.kernelT() * slab.kernelH() * phases];
            int at = 0;
            for (int i = 0; i < columns.length; i++) {
                columns[i] = at;
                at += Pack.padded(taps(i % phases) * channels);
            }
            width = at;
            positions = new int[slab.blockH() * slab.outW()];
            for (int p = 0; p < positions.length; p++) positions[p] = (p / slab.outW() * slab.pitch() + p % slab.outW()) * channels;
        }

        private int taps(int phase) {
            return (slab.kernelW() - phase + slab.strideW() - 1) / slab.strideW();
        }

        /// The sums over slabs `from … to - 1` for output channels `first … last - 1`, into their place of `partial`.
        void sum(float[] partial, int at, MemorySegment dy, ConvSpec s, long from, long to, int first, int last) {
            var scratch = Scratch.mine();
            int rows = (last - first + ROWS - 1) / ROWS * ROWS;
            var sums = scratch.floats(Use.SUMS, (long) rows * width);
            Arrays.fill(sums, 0, rows * width, 0f);
            for (long item = from; item < to; item++) {
                long entry = item / slab.slabs();
                int t0 = (int) (item % slab.slabs() / slab.slabsH()) * slab.blockT();
                int h0 = (int) (item % slab.slabsH()) * slab.blockH();
                int nt = (int) Math.min(slab.blockT(), slab.outT() - t0);
                int nh = (int) Math.min(slab.blockH(), slab.outH() - h0);
                var x = channelsLast(scratch, entry, t0, nt, h0, nh);
                int n = nh * slab.outW();
                long plane = slab.outH() * slab.outW();
                var left = scratch.floats(Use.LEFT, (long) rows * n);
                for (int i = 0; i < nt; i++) {
                    long of = ((entry * s.outputs() + first) * slab.outT() + t0 + i) * plane + (long) h0 * slab.outW();
                    Pack.rows(left, dy, of, slab.outT() * plane, false, last - first, n);
                    multiply(sums, rows, left, n, x, t0, i);
                }
            }
            spread(sums, partial, at, first, last);
        }

        private float[] channelsLast(Scratch scratch, long entry, int t0, int nt, int h0, int nh) {
            var planar = scratch.floats(Use.SLAB, slab.size());
            slab.fill(planar, entry * channels, t0, nt, h0, nh);
            // A tile may read beyond the last position, into columns that are not stored.
            var x = scratch.floats(Use.RIGHT, slab.size() + COLUMNS);
            int each = slab.channel();
            for (int c = 0; c < channels; c += ROWS) {
                int n = Math.min(ROWS, channels - c);
                Turn.turn(x, c, channels, planar, c * each, each, n, each, n);
            }
            return x;
        }

        /// sums += left · what the taps see of x, for the `n` positions of output time step `t0 + step`.
        private void multiply(float[] sums, int rows, float[] left, int n, float[] x, int t0, int step) {
            int start = slab.start(step);
            int each = slab.kernelH() * phases;
            int from = slab.firstTap(t0 + step) * each;
            int to = slab.endTap(t0 + step) * each;
            for (int p = 0; p < n; p += DEPTH) {
                int depth = Math.min(DEPTH, n - p);
                for (int i = from; i < to; i++) {
                    int dw = i % phases;
                    int dh = i / phases % slab.kernelH();
                    int dt = i / phases / slab.kernelH();
                    int all = taps(dw) * channels;
                    int at = (start + slab.distance(0, dt, dh, dw)) * channels;
                    for (int c = 0; c < all; c += COLUMNS) {
                        int wide = Math.min(COLUMNS, all - c);
                        for (int r = 0; r < rows; r += ROWS) {
                            GemmKernel.tile(
                                    ROWS, wide, depth, left, r * n + p * ROWS, x, at + c, positions, p, sums, r * width + columns[i] + c,
                                    width, true);
                        }
                    }
                }
            }
        }

        /// From the order of the sums, `[o][piece][tap along w][channel]`, to that of the weights.
        private void spread(float[] sums, float[] partial, int at, int first, int last) {
            int taps = slab.kernelT() * slab.kernelH() * slab.kernelW();
            for (int o = first; o < last; o++) {
                for (int i = 0; i < columns.length; i++) {
                    int dw = i % phases;
                    int line = i / phases * slab.kernelW();
                    for (int q = 0; q < taps(dw); q++) {
                        int from = (o - first) * width + columns[i] + q * channels;
                        int to = at + o * channels * taps + line + dw + q * slab.strideW();
                        for (int c = 0; c < channels; c++) partial[to + c * taps] = sums[from + c];
                    }
                }
            }
        }
    }

    /// The sums of dy over all but its channels.
    static void bias(Parallel parallel, MemorySegment dbias, MemorySegment dy, ConvSpec s) {
        long n = s.outT() * s.outH() * s.outW();
        parallel.tasks(s.outputs(), o -> {
            double sum = 0;
            for (long b = 0; b < s.batch(); b++) sum += sum(dy, (b * s.outputs() + o) * n, n);
            dbias.setAtIndex(ValueLayout.JAVA_FLOAT, o, (float) sum);
        });
    }

    private static double sum(MemorySegment x, long from, long n) {
        double total = 0;
        // Pieces short enough for floats: their sums are added in double.
        for (long i = 0; i < n; i += 4096) {
            long end = Math.min(n, i + 4096);
            var sum = FloatVector.zero(SPECIES);
            long j = i;
            for (; j + LANES <= end; j += LANES) sum = sum.add(FloatVector.fromMemorySegment(SPECIES, x, (from + j) * Float.BYTES, ORDER));
            if (j < end) {
                var in = SPECIES.indexInRange(j, end);
                sum = sum.add(FloatVector.fromMemorySegment(SPECIES, x, (from + j) * Float.BYTES, ORDER, in));
            }
            total += VectorMath.sum(sum);
        }
        return total;
    }
}
