package otherwise.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import otherwise.backend.ConvSpec;
import otherwise.backend.DType;
import otherwise.backend.Storage;
import otherwise.backend.cuda.Matmul.Tiling;

/// Launches of `conv3d.cu`, or on tensor cores, where they can and may, by [TensorConvolution] and [HopperConvolution].
final class Convolution implements Convolutions {
    private static final String FILE = "conv3d";

    /// Elements of a block that sums for a bias, at least, and parts of such a sum at most.
    private static final long BIAS_STRETCH = 16L * Kernels.BLOCK;
    private static final long BIAS_PARTS = 64;

    private final Kernels kernels;
    private final TensorConvolution tensor;

    Convolution(Kernels kernels) {
        this.kernels = kernels;
        tensor = new TensorConvolution(kernels);
    }

    /// The kernels' struct Axis: position u and tap d read element `u·stride + first + d·turn` of `source`; the tap is element
    /// `tap + d·step` of a kernel of `weight`, the result goes to `start + u·every` of `size`.
    record Axis(
            long columns, long taps, long source, long stride, long first, long turn, long weight, long tap, long step, long size,
            long start, long every) {

        static Axis forward(long source, int kernel, int stride, int front, long size) {
            return new Axis(size, kernel, source, stride, -front, 1, kernel, 0, 1, size, 0, 1);
        }

        /// The positions `phase`, `phase + stride`, … of the input: they meet the taps `(phase + front) mod stride`, and every `stride`-th
        /// after it, going backwards in y.
        static Axis backward(long size, int kernel, int stride, int front, long source, int phase) {
            long columns = Math.max(0, Math.ceilDiv(size - phase, stride));
            int tap = (phase + front) % stride;
            long taps = Math.max(0, Math.ceilDiv(kernel - tap, stride));
            return new Axis(columns, taps, source, 1, (phase + front) / stride, -1, kernel, tap, stride, size, phase, stride);
        }

        static List<Axis> phases(long size, int kernel, int stride, int front, long source) {
            var all = new ArrayList<Axis>();
            for (int phase = 0; phase < Math.min(stride, size); phase++) all.add(backward(size, kernel, stride, front, source, phase));
            return all;
        }

        /// The positions from `from` on, `count` at most, where only what they reach is there to be read.
        Axis part(long from, long count, ConvolutionSlabs.Reach reach) {
            return new Axis(
                    Math.clamp(columns - from, 0, count), taps, reach.size(from, count), stride, first + from * stride - reach.from(from),
                    turn, weight, tap, step, size, start + from * every, every);
        }

        long[] struct() {
            return new long[] {columns, taps, source, stride, first, turn, weight, tap, step, size, start, every};
        }
    }

    /// A product without its tiling.
    private record Product(long batch, long rows, long channels, long weightRow, long weightChannel, Axis t, Axis h, Axis w) {
        long columns() {
            return batch * t.columns * h.columns * w.columns;
        }

        long terms() {
            return channels * t.taps * h.taps * w.taps;
        }

        /// The kernels' struct Product, and its axes.
        Arguments addTo(Arguments arguments, Tiling tiling) {
            return arguments.with(new long[] {
                rows, channels, weightRow, weightChannel, tiling.rowTiles(), tiling.columnTiles(), columns(), terms(), tiling.parts(),
                tiling.stretch()
            }).with(t.struct()).with(h.struct()).with(w.struct());
        }
    }

    /// Taps of a kernel, without its channels.
    static long kernelSize(ConvSpec s) {
        return (long) s.kernelT() * s.kernelH() * s.kernelW();
    }

    private static Product forward(ConvSpec s) {
        return new Product(
                s.batch(), s.outputs(), s.inputs(), s.taps(), kernelSize(s),
                Axis.forward(s.t(), s.kernelT(), s.strideT(), s.frontT(), s.outT()),
                Axis.forward(s.h(), s.kernelH(), s.strideH(), s.frontH(), s.outH()),
                Axis.forward(s.w(), s.kernelW(), s.strideW(), s.frontW(), s.outW()));
    }

    /// @param channels that are summed over
    private boolean onTensorCores(ConvSpec s, long channels) {
        return kernels.tensorCores() && kernels.real() == DType.BF16 && TensorConvolution.suits(s, channels);
    }

    @Override
    public void forward(Storage y, Storage x, Storage weight, Storage bias, ConvSpec s) {
        if (onTensorCores(s, s.inputs())) tensor.forward(y, x, weight, bias, s);
        else multiply(y, x, weight, bias, forward(s));
    }

    @Override
    public void toInput(Storage dx, Storage dy, Storage weight, ConvSpec s) {
        if (onTensorCores(s, s.outputs())) {
            tensor.toInput(dx, dy, weight, s);
            return;
        }
        for (var t : Axis.phases(s.t(), s.kernelT(), s.strideT(), s.frontT(), s.outT()))
            for (var h : Axis.phases(s.h(), s.kernelH(), s.strideH(), s.frontH(), s.outH()))
                for (var w : Axis.phases(s.w(), s.kernelW(), s.strideW(), s.frontW(), s.outW()))
                    multiply(dx, dy, weight, null, new Product(s.batch(), s.inputs(), s.outputs(), kernelSize(s), s.taps(), t, h, w));
    }

    @Override
    public Convolution dry(Kernels other) {
        return new Convolution(other);
    }

    private void multiply(Storage y, Storage x, Storage weight, Storage bias, Product p) {
        long size = p.rows * p.columns();
        if (size == 0) return;
        var tiling = Tiling.of(Tiling.SMALL, 1, p.rows, p.columns(), p.terms());
        var grid = Grid.of(tiling.blocks(), Kernels.BLOCK);
        if (tiling.parts() == 1) {
            var arguments = p.addTo(new Arguments().with(y).with((Storage) null).with(x).with(weight).with(bias), tiling);
            kernels.launch(FILE, "conv3d", grid, arguments);
            return;
        }
        try (var made = kernels.scratch(DType.F32, tiling.parts() * size)) {
            var partial = made.storage();
            var arguments = p.addTo(new Arguments().with(y).with(partial).with(x).with(weight).with(bias), tiling);
            kernels.launch(FILE, "conv3d", grid, arguments);
            kernels.over(size, FILE, "conv3d_add", p.addTo(new Arguments().with(y).with(partial).with(bias), tiling));
        }
    }

    @Override
    public void toWeight(Storage dweight, Storage dbias, Storage dy, Storage x, ConvSpec s) {
        var p = forward(s);
        long size = p.rows * p.terms();
        if (size > 0) {
            var tiling = Tiling.of(Tiling.SMALL, 1, p.rows, /* columns= */ p.terms(), /* terms= */ p.columns());
            var grid = Grid.of(tiling.blocks(), Kernels.BLOCK);
            if (tiling.parts() == 1) {
                var arguments = p.addTo(new Arguments().with(dweight).with((Storage) null).with(dy).with(x), tiling);
                kernels.launch(FILE, "conv3d_weight", grid, arguments);
            } else {
                try (var partial = kernels.scratch(DType.F32, tiling.parts() * size)) {
                    var arguments = p.addTo(new Arguments().with(dweight).with(partial.storage()).with(dy).with(x), tiling);
                    kernels.launch(FILE, "conv3d_weight", grid, arguments);
                    add(dweight, partial.storage(), tiling.parts());
                }
            }
        }
        if (dbias != null && p.rows > 0) toBias(dbias, dy, p);
    }

    private void toBias(Storage dbias, Storage dy, Product p) {
        long positions = p.columns();
        long stretch = Math.max(BIAS_STRETCH, Math.ceilDiv(positions, BIAS_PARTS));
        long parts = Math.max(1, Math.ceilDiv(positions, stretch));
        try (var partial = kernels.scratch(DType.F32, parts * p.rows)) {
            long pixels = p.t.size * p.h.size * p.w.size;
            var arguments = new Arguments().with(partial.storage()).with(dy).with(p.rows).with(pixels).with(positions).with(stretch);
            kernels.launch(FILE, "conv3d_bias", Grid.of(parts * p.rows, Kernels.BLOCK), arguments);
            add(dbias, partial.storage(), parts);
        }
    }

    private void add(Storage y, Storage partial, long parts) {
        var arguments = new Arguments().with(y).with(partial).with(parts).with(y.size());
        kernels.over(y.size(), FILE, "conv3d_weight_add", arguments);
    }
}
