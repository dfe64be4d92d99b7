package otherwise.backend.cuda;

import java.util.List;
import otherwise.backend.ConvSpec;
import otherwise.backend.DType;
import otherwise.backend.Storage;
import otherwise.backend.cuda.Convolution.Axis;
import otherwise.backend.cuda.ConvolutionSlabs.Reach;

/// Launches of `conv3d_tensor.cu`: convolutions on tensor cores. What is packed here, [HopperConvolution] multiplies where it serves.
final class TensorConvolution {
    private static final String FILE = "conv3d_tensor";

    /// Bytes of a packed slab, at most.
    private static final long SLAB = 256L << 20;

    /// Elements of 16 bytes, in which everything is packed.
    private static final int EIGHT = 8;

    /// As in the kernel file.
    private static final int THREADS = 128;
    private static final int COLUMNS = 128;
    private static final int WIDE = 96;
    private static final int NARROW = 32;
    private static final int CHUNKS = 4;
    private static final int STAGES = 3;
    private static final int LONGEST = 10;
    private static final int PACKED_POSITIONS = 128;

    /// Blocks that occupy a large device, and stages that are worth one.
    private static final long MANY = 264;
    private static final long SHORTEST = 8;

    private final Kernels kernels;
    private final HopperConvolution hopper;
    private final long slab;

    TensorConvolution(Kernels kernels) {
        this(kernels, SLAB);
    }

    /// @param slab the most bytes of a packed slab
    TensorConvolution(Kernels kernels, long slab) {
        this.kernels = kernels;
        hopper = new HopperConvolution(kernels);
        this.slab = slab;
    }

    /// Whether tensor cores are the better way: the masks of an axis hold its taps, and the sum fills a stage, which few channels filled up
    /// with zeros do as well.
    ///
    /// @param channels that are summed over
    static boolean suits(ConvSpec s, long channels) {
        boolean held = Math.max(s.kernelT(), Math.max(s.kernelH(), s.kernelW())) <= LONGEST;
        return held && channels * Convolution.kernelSize(s) >= (long) CHUNKS * EIGHT;
    }

    /// Everything that a call is about: `rows` results of a position, of `channels` of x. Of each axis its phases.
    record Call(
            Storage y, Storage x, Storage weight, Storage bias, long batch, long rows, long channels, long weightRow, long weightChannel,
            List<Axis> t, List<Axis> h, List<Axis> w) {

        /// 16 bytes of a packed position.
        long chunks() {
            return Math.ceilDiv(channels, EIGHT);
        }

        long kernel() {
            return t.getFirst().weight() * h.getFirst().weight() * w.getFirst().weight();
        }
    }

    void forward(Storage y, Storage x, Storage weight, Storage bias, ConvSpec s) {
        run(new Call(
                y, x, weight, bias, s.batch(), s.outputs(), s.inputs(), s.taps(), Convolution.kernelSize(s),
                List.of(Axis.forward(s.t(), s.kernelT(), s.strideT(), s.frontT(), s.outT())),
                List.of(Axis.forward(s.h(), s.kernelH(), s.strideH(), s.frontH(), s.outH())),
                List.of(Axis.forward(s.w(), s.kernelW(), s.strideW(), s.frontW(), s.outW()))));
    }

    void toInput(Storage dx, Storage dy, Storage weight, ConvSpec s) {
        run(new Call(
                dx, dy, weight, null, s.batch(), s.inputs(), s.outputs(), Convolution.kernelSize(s), s.taps(),
                Axis.phases(s.t(), s.kernelT(), s.strideT(), s.frontT(), s.outT()),
                Axis.phases(s.h(), s.kernelH(), s.strideH(), s.frontH(), s.outH()),
                Axis.phases(s.w(), s.kernelW(), s.strideW(), s.frontW(), s.outW())));
    }

    private void run(Call c) {
        if (c.y.size() == 0) return;
        boolean onHopper = hopper.serves(c);
        var t = Reach.of(c.t);
        var h = Reach.of(c.h);
        long row = c.w.getFirst().source() * c.chunks();
        var slabs = ConvolutionSlabs.of(c.batch, t, h, row, slab / Character.BYTES / EIGHT, onHopper ? HopperConvolution.rows(c) : 1);
        // Numbers of 16 bytes within a slab, and within a block's rows of weights, are ints in the kernel.
        Math.toIntExact(slabs.elements());
        Math.toIntExact(WIDE * c.kernel() * c.chunks());
        try (var weights = kernels.scratch(DType.BF16, c.rows * c.kernel() * c.chunks() * EIGHT);
                var packed = kernels.scratch(DType.BF16, room(slabs.elements()) * EIGHT)) {
            var arguments = new Arguments().with(weights.storage()).with(c.weight).with(c.rows).with(c.channels).with(c.kernel())
                    .with(c.weightRow).with(c.weightChannel);
            kernels.over(c.rows * c.kernel() * c.chunks(), FILE, "conv3d_tensor_weights", arguments);
            for (long b = 0; b < c.batch; b += slabs.batches())
                for (long u = 0; u < t.columns(); u += slabs.t())
                    for (long v = 0; v < h.columns(); v += slabs.h()) {
                        long batches = Math.min(slabs.batches(), c.batch - b);
                        pack(packed.storage(), c, b, batches, t.from(u), t.size(u, slabs.t()), h.from(v), h.size(v, slabs.h()));
                        for (var at : c.t)
                            for (var ah : c.h)
                                for (var aw : c.w)
                                    multiply(c, onHopper, packed.storage(), weights.storage(), b, batches, at.part(u, slabs.t(), t),
                                            ah.part(v, slabs.h(), h), aw);
                    }
        }
    }

    /// A power of two: the pool keeps a piece of every size that was ever asked for, and slabs of many sizes would fill it.
    private static long room(long elements) {
        long largest = Long.highestOneBit(elements);
        return largest == elements ? elements : 2 * largest;
    }

    private void pack(Storage packed, Call c, long b, long batches, long frame, long frames, long row, long rows) {
        long t = c.t.getFirst().source();
        long h = c.h.getFirst().source();
        long w = c.w.getFirst().source();
        long tiles = Math.ceilDiv(rows * w, PACKED_POSITIONS) * Math.ceilDiv(c.chunks(), CHUNKS);
        long blocks = batches * frames * tiles;
        if (blocks == 0) return;
        var slab = new long[] {c.channels, c.chunks(), t, h, w, b, frames, frame, rows, row};
        kernels.launch(FILE, "conv3d_tensor_pack", Grid.of(blocks, Kernels.BLOCK), new Arguments().with(packed).with(c.x).with(slab));
    }

    private void multiply(
            Call c, boolean onHopper, Storage packed, Storage weights, long b, long batches, Axis t, Axis h, Axis w) {
        long columns = t.columns() * h.columns() * w.columns();
        if (columns == 0) return;
        Math.toIntExact(columns);
        if (onHopper && t.source() * h.source() * w.source() > 0) {
            hopper.multiply(c, packed, weights, b, batches, t, h, w);
            return;
        }
        int side = c.rows <= NARROW ? NARROW : WIDE;
        long rowTiles = Math.ceilDiv(c.rows, side);
        long columnTiles = Math.ceilDiv(columns, COLUMNS);
        long stages = Math.ceilDiv(t.taps() * h.taps() * w.taps() * c.chunks(), CHUNKS);
        long tiles = batches * rowTiles * columnTiles;
        long stretch = Math.max(1, Math.ceilDiv(stages, Math.clamp(MANY / tiles, 1, Math.max(1, stages / SHORTEST))));
        long parts = Math.max(1, Math.ceilDiv(stages, stretch));
        var product = new long[] {
            c.rows, c.chunks(), c.kernel() * c.chunks(), batches, b, rowTiles, columnTiles, columns, stages, parts, stretch
        };
        var grid = Grid.of(tiles * parts, THREADS).shared((long) STAGES * (side + COLUMNS) * CHUNKS * EIGHT * Character.BYTES);
        if (parts == 1) {
            kernels.launch(FILE, "conv3d_tensor_" + side, grid, new Arguments().with(c.y).with((Storage) null).with(packed).with(weights)
                    .with(c.bias).with(product).with(t.struct()).with(h.struct()).with(w.struct()));
            return;
        }
        long size = batches * c.rows * columns;
        try (var partial = kernels.scratch(DType.F32, parts * size)) {
            kernels.launch(FILE, "conv3d_tensor_" + side, grid, new Arguments().with(c.y).with(partial.storage()).with(packed).with(weights)
                    .with(c.bias).with(product).with(t.struct()).with(h.struct()).with(w.struct()));
            kernels.over(size, FILE, "conv3d_tensor_add", new Arguments().with(c.y).with(partial.storage()).with(product)
                    .with(t.struct()).with(h.struct()).with(w.struct()));
        }
    }
}
