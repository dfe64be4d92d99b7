package otherwise.backend.cpu;

import static otherwise.backend.cpu.GemmKernel.COLUMNS;
import static otherwise.backend.cpu.GemmKernel.ROWS;
import static otherwise.backend.cpu.VectorMath.LANES;
import static otherwise.backend.cpu.VectorMath.SPECIES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import otherwise.backend.ConvSpec;
import otherwise.backend.cpu.Scratch.Use;

/// 3-D convolution as a matrix product whose right-hand side is never built: the rows of the would-be matrix, one a tap, are the padded
/// input seen from different starting points (see [ConvSlab]).
///
/// The gradient to the input is the same thing the other way round: a convolution of dy with the mirrored weights. With a stride there is
/// one such convolution for each phase of the input (its coordinate modulo the stride), since only the taps of that phase reach it.
/// The gradient to the weights is in [ConvWeights].
final class Conv3d {
    /// Taps that a call of the kernel goes through: the part of a slab that they read, for one tile, stays in the first-level cache.
    private static final int DEPTH = 448;

    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private Conv3d() {}

    static void forward(Parallel parallel, MemorySegment y, MemorySegment x, MemorySegment weight, MemorySegment bias, ConvSpec s) {
        var rows = new ArrayList<Row>();
        for (int o = 0; o < s.outputs(); o++) rows.add(new Row(o, 0, 0, 0));
        var slab = slab(x, s);
        var packed = Scratch.mine().floats(Use.SHARED, (long) panels(rows.size()) * ROWS * s.taps());
        parallel.tasks(panels(rows.size()), panel -> pack(packed, (int) panel, weight, s));
        var target = new Target(y, s.outputs(), s.outT(), s.outH(), s.outW(), 1, 1, 1, bias, rows);
        convolve(parallel, slab, packed, target, s.batch());
    }

    /// A panel of weights of eight output channels, with the taps along t outermost: see [#convolve].
    private static void pack(float[] packed, int panel, MemorySegment weight, ConvSpec s) {
        int taps = (int) s.taps();
        int plane = s.kernelH() * s.kernelW();
        int from = panel * ROWS * taps;
        int first = panel * ROWS;
        var channelsOutermost = Scratch.mine().floats(Use.LEFT, (long) ROWS * taps);
        Pack.rows(channelsOutermost, weight, (long) first * taps, taps, false, (int) Math.min(ROWS, s.outputs() - first), taps);
        for (int c = 0; c < s.inputs(); c++) {
            for (int dt = 0; dt < s.kernelT(); dt++) {
                int to = from + (int) (dt * s.inputs() + c) * plane * ROWS;
                System.arraycopy(channelsOutermost, (c * s.kernelT() + dt) * plane * ROWS, packed, to, plane * ROWS);
            }
        }
    }

    private static ConvSlab slab(MemorySegment x, ConvSpec s) {
        return new ConvSlab(
                x, (int) s.inputs(), s.t(), s.h(), s.w(), s.frontT(), s.frontH(), s.frontW(), s.kernelT(), s.kernelH(), s.kernelW(),
                s.strideT(), s.strideH(), s.strideW(), s.outT(), s.outH(), (int) s.outW(), 1, 1);
    }

    static void toInput(Parallel parallel, MemorySegment dx, MemorySegment dy, MemorySegment weight, ConvSpec s) {
        if (s.batch() * s.inputs() * s.t() * s.h() * s.w() == 0) return;
        // Phases that differ only in which weights they take are computed together, as more rows of one product.
        var groups = new LinkedHashMap<List<Axis>, List<Row>>();
        boolean holes = false;
        for (int pt = 0; pt < s.strideT(); pt++) {
            for (int ph = 0; ph < s.strideH(); ph++) {
                for (int pw = 0; pw < s.strideW(); pw++) {
                    var axes = List.of(
                            Axis.of(s.t(), s.kernelT(), s.strideT(), s.frontT(), pt),
                            Axis.of(s.h(), s.kernelH(), s.strideH(), s.frontH(), ph),
                            Axis.of(s.w(), s.kernelW(), s.strideW(), s.frontW(), pw));
                    if (axes.stream().anyMatch(a -> a.count == 0)) continue;
                    if (axes.stream().anyMatch(a -> a.taps == 0)) {
                        holes = true;
                        continue;
                    }
                    var rows = groups.computeIfAbsent(axes, a -> new ArrayList<>());
                    for (int c = 0; c < s.inputs(); c++) rows.add(new Row(c, pt, ph, pw));
                }
            }
        }
        if (holes) dx.fill((byte) 0);
        groups.forEach((axes, rows) -> phase(parallel, dx, dy, weight, s, axes, rows));
    }

    /// One axis of the input, seen by one phase: its elements are `m·stride + phase − front` for `first ≤ m < first + count`, and the one
    /// at m is reached from output m − q by tap `phase + q·stride`, for q below `taps`.
    private record Axis(int taps, long first, long count) {
        static Axis of(long size, int kernel, int stride, int front, int phase) {
            int taps = phase < kernel ? (kernel - phase + stride - 1) / stride : 0;
            long first = Math.max(0, Math.ceilDiv(front - phase, stride));
            long end = Math.ceilDiv(size + front - phase, (long) stride);
            return new Axis(taps, first, Math.max(0, end - first));
        }

        int front() {
            return (int) (taps - 1 - first);
        }
    }

    static void toWeight(Parallel parallel, MemorySegment dweight, MemorySegment dbias, MemorySegment dy, MemorySegment x, ConvSpec s) {
        ConvWeights.weight(parallel, dweight, dy, x, slab(x, s), s);
        if (dbias != null) ConvWeights.bias(parallel, dbias, dy, s);
    }

    private static void phase(
            Parallel parallel, MemorySegment dx, MemorySegment dy, MemorySegment weight, ConvSpec s, List<Axis> axes, List<Row> rows) {
        Axis t = axes.get(0), h = axes.get(1), w = axes.get(2);
        int taps = (int) s.outputs() * t.taps * h.taps * w.taps;
        var packed = Scratch.mine().floats(Use.SHARED, (long) panels(rows.size()) * ROWS * taps);
        parallel.tasks(panels(rows.size()), panel -> packMirrored(packed, (int) panel, weight, s, axes, rows));
        var slab = new ConvSlab(
                dy, (int) s.outputs(), s.outT(), s.outH(), s.outW(), t.front(), h.front(), w.front(), t.taps, h.taps, w.taps, 1, 1, 1,
                t.count, h.count, (int) w.count, 1, 1);
        var placed = new ArrayList<Row>();
        for (var r : rows) {
            placed.add(new Row(
                    r.channel, t.first * s.strideT() + r.t - s.frontT(), h.first * s.strideH() + r.h - s.frontH(),
                    w.first * s.strideW() + r.w - s.frontW()));
        }
        var target = new Target(dx, s.inputs(), s.t(), s.h(), s.w(), s.strideT(), s.strideH(), s.strideW(), null, placed);
        convolve(parallel, slab, packed, target, s.batch());
    }

    /// A panel of mirrored weights of eight rows of the product.
    private static void packMirrored(float[] packed, int panel, MemorySegment weight, ConvSpec s, List<Axis> axes, List<Row> rows) {
        Axis t = axes.get(0), h = axes.get(1), w = axes.get(2);
        int taps = (int) s.outputs() * t.taps * h.taps * w.taps;
        long plane = (long) s.kernelH() * s.kernelW();
        for (int lane = 0; lane < ROWS; lane++) {
            int at = panel * ROWS * taps + lane;
            if (panel * ROWS + lane >= rows.size()) {
                for (int i = 0; i < taps; i++) packed[at + i * ROWS] = 0f;
                continue;
            }
            var row = rows.get(panel * ROWS + lane);
            for (int i = t.taps - 1; i >= 0; i--) {
                long dt = row.t + (long) i * s.strideT();
                for (int o = 0; o < s.outputs(); o++) {
                    long of = ((o * s.inputs() + row.channel) * s.kernelT() + dt) * plane;
                    for (int j = h.taps - 1; j >= 0; j--) {
                        long line = of + (row.h + (long) j * s.strideH()) * s.kernelW() + row.w;
                        for (int k = w.taps - 1; k >= 0; k--, at += ROWS)
                            packed[at] = weight.getAtIndex(FLOAT, line + (long) k * s.strideW());
                    }
                }
            }
        }
    }

    /// Where a row of the product goes: its channel, and the place of its first element.
    private record Row(int channel, long t, long h, long w) {}

    /// Where results go: a tensor `[batch, channels, T, H, W]`, written at every stride-th element from where a row begins.
    private record Target(
            MemorySegment y,
            long channels,
            long t,
            long h,
            long w,
            int strideT,
            int strideH,
            int strideW,
            MemorySegment bias,
            List<Row> rows) {

        /// Output time step `time`, rows `h0 … h0 + nh - 1`, of what lies in `sums` with the given pitch.
        void store(float[] sums, int room, long item, long time, long h0, int nh, int pitch, int wide) {
            for (int r = 0; r < rows.size(); r++) {
                var row = rows.get(r);
                float b = bias == null ? 0 : bias.getAtIndex(FLOAT, row.channel);
                long plane = ((item * channels + row.channel) * t + time * strideT + row.t) * h;
                for (int i = 0; i < nh; i++) {
                    long to = (plane + (h0 + i) * strideH + row.h) * w + row.w;
                    int from = r * room + i * pitch;
                    if (strideW == 1) line(to, sums, from, wide, b);
                    else for (int j = 0; j < wide; j++) y.setAtIndex(FLOAT, to + (long) j * strideW, sums[from + j] + b);
                }
            }
        }

        private void line(long to, float[] sums, int from, int wide, float b) {
            int j = 0;
            for (; j + LANES <= wide; j += LANES) {
                FloatVector.fromArray(SPECIES, sums, from + j).add(b).intoMemorySegment(y, (to + j) * Float.BYTES, ORDER);
            }
            if (j < wide) {
                var in = SPECIES.indexInRange(j, wide);
                FloatVector.fromArray(SPECIES, sums, from + j, in).add(b).intoMemorySegment(y, (to + j) * Float.BYTES, ORDER, in);
            }
        }
    }

    private static int panels(int rows) {
        return (rows + ROWS - 1) / ROWS;
    }

    /// The product of packed weights, `[panel][tap][8]`, with what the taps see of the input. Taps go over t, then channels, h and w: so
    /// those that see nothing but the padding in front of the first time step, or after the last, are left out.
    private static void convolve(Parallel parallel, ConvSlab whole, float[] packed, Target target, long batch) {
        int rows = target.rows.size();
        int plane = whole.kernelH() * whole.kernelW();
        int step = whole.channels() * plane;
        int taps = whole.kernelT() * step;
        if (batch * rows * whole.outT() * whole.outH() * whole.outW() == 0) return;
        var slab = whole.cut(batch, (double) rows * taps);
        var distances = slab.distances();
        int depth = Math.max(1, DEPTH / plane) * plane;
        int pitch = slab.pitch();
        // Rows of sums: whole tiles, so that the last one of a slab need not be cut.
        int room = slab.room();

        parallel.tasks(batch * slab.slabs(), task -> {
            long item = task / slab.slabs();
            int t0 = (int) (task % slab.slabs() / slab.slabsH()) * slab.blockT();
            int h0 = (int) (task % slab.slabsH()) * slab.blockH();
            int nt = (int) Math.min(slab.blockT(), slab.outT() - t0);
            int nh = (int) Math.min(slab.blockH(), slab.outH() - h0);
            var scratch = Scratch.mine();
            // A tile may read up to its width beyond the last position: into what no result depends on.
            var input = scratch.floats(Use.SLAB, slab.size() + 2L * COLUMNS);
            slab.fill(input, item * slab.channels(), t0, nt, h0, nh);
            var sums = scratch.floats(Use.SUMS, (long) panels(rows) * ROWS * room);
            int positions = (nh - 1) * pitch + slab.outW();
            for (int i = 0; i < nt; i++) {
                int from = slab.firstTap(t0 + i) * step;
                int to = slab.endTap(t0 + i) * step;
                if (from == to) Arrays.fill(sums, 0, rows * room, 0f);
                for (int p = 0; p < positions; p += COLUMNS) {
                    int wide = Math.min(COLUMNS, positions - p);
                    for (int k = from; k < to; k += depth) {
                        int kn = Math.min(depth, to - k);
                        for (int r = 0; r < rows; r += ROWS) {
                            int high = Math.min(ROWS, rows - r);
                            GemmKernel.tile(
                                    high, wide, kn, packed, r * taps + k * ROWS, input, slab.start(i) + p, distances, k, sums, r * room + p,
                                    room,
                                    k > from);
                        }
                    }
                }
                target.store(sums, room, item, t0 + i, h0, nh, pitch, slab.outW());
            }
        });
    }
}
