package otherwise.backend.cuda;

import java.util.Comparator;
import java.util.stream.IntStream;
import otherwise.backend.Axes;
import otherwise.backend.DType;
import otherwise.backend.Storage;

/// Launches of `movement.cu`.
final class Movement {
    private static final String FILE = "movement";

    /// Axes of a struct in the kernels.
    private static final int MOST_AXES = 8;

    /// Threads of the one block that counts.
    private static final int COUNTERS = 1024;

    private final Kernels kernels;

    Movement(Kernels kernels) {
        this.kernels = kernels;
    }

    void fill(Storage y, double value) {
        long bits = switch (y.type()) {
            case F64 -> Double.doubleToRawLongBits(value);
            case F32 -> Float.floatToRawIntBits((float) value);
            case F16 -> Float.floatToFloat16((float) value);
            case BF16 -> bf16((float) value);
            case I64, I32, U8 -> (long) value;
        };
        kernels.over(y.size(), FILE, "fill_" + y.type().bytes(), new Arguments().with(y).with(bits).with(y.size()));
    }

    /// The upper half of a float, rounded to nearest even.
    private static int bf16(float value) {
        int bits = Float.floatToIntBits(value);
        return Float.isNaN(value) ? bits >>> 16 : bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
    }

    /// y = x, from one type to another.
    void convert(Storage y, Storage x, long n) {
        var arguments = new Arguments().with(y).with(y.type()).with(x).with(x.type()).with(n);
        kernels.over(n, "convert", "convert", arguments);
    }

    void copy(Storage y, long yOffset, long[] yStrides, Storage x, long xOffset, long[] xStrides, long[] dims) {
        // In the order in which y lies: neighbouring threads write neighbouring elements.
        var order = IntStream.range(0, dims.length).boxed().sorted(Comparator.comparingLong((Integer i) -> -yStrides[i])).mapToInt(i -> i)
                .toArray();
        var axes = Axes.merged(sorted(dims, order), sorted(yStrides, order), sorted(xStrides, order));
        if (axes.size() == 0) return;
        var to = y.slice(yOffset, y.size() - yOffset);
        var from = x.slice(xOffset, x.size() - xOffset);
        int bytes = y.type().bytes();
        int pack = Kernels.PACK / bytes;
        if (axes.hasPacks(0, pack) && axes.hasPacks(1, pack) && Kernels.aligned(to, from)) {
            axes = ofPacks(axes, pack);
            bytes = Kernels.PACK;
        }
        kernels.over(axes.size(), FILE, "copy_" + bytes, new Arguments().with(to).with(from).with(struct(axes)).with(axes.size()));
    }

    /// The same way as over elements of a pack's size.
    private static Axes ofPacks(Axes axes, int pack) {
        var packs = axes.inPacks(pack);
        for (var strides : packs.strides()) for (int i = 0; i < strides.length; i++) strides[i] /= pack;
        return packs;
    }

    private static long[] sorted(long[] values, int[] order) {
        return IntStream.of(order).mapToLong(i -> values[i]).toArray();
    }

    /// The kernels' struct for a walk with two arrays: rank, dims, and the strides of both.
    static long[] struct(Axes axes) {
        int rank = axes.rank();
        if (rank > MOST_AXES) throw new IllegalArgumentException(rank + " axes that do not merge; at most " + MOST_AXES);
        var struct = new long[1 + 3 * MOST_AXES];
        struct[0] = rank;
        System.arraycopy(axes.dims(), 0, struct, 1, rank);
        System.arraycopy(axes.strides()[0], 0, struct, 1 + MOST_AXES, rank);
        System.arraycopy(axes.strides()[1], 0, struct, 1 + 2 * MOST_AXES, rank);
        return struct;
    }

    void gatherRows(Storage y, Storage x, Storage index, long rows, long c) {
        kernels.over(rows * c, FILE, "gather_rows", new Arguments().with(y).with(x).with(index).with(rows).with(c));
    }

    void scatterAddRows(Storage y, Storage x, Storage index, long rows, long yRows, long c) {
        if (yRows * c == 0) return;
        try (var start = kernels.scratch(DType.I64, yRows + 1);
                var next = kernels.scratch(DType.I64, yRows);
                var list = kernels.scratch(DType.I64, Math.max(1, rows))) {
            var counted = new Arguments().with(start.storage()).with(next.storage()).with(index).with(rows).with(yRows);
            kernels.launch(FILE, "scatter_starts", Grid.of(1, COUNTERS), counted);
            kernels.over(rows, FILE, "scatter_lists", new Arguments().with(list.storage()).with(next.storage()).with(index).with(rows));
            var summed = new Arguments().with(y).with(x).with(start.storage()).with(list.storage()).with(c);
            kernels.launch(FILE, "scatter_add_rows", Grid.of(yRows, Kernels.BLOCK), summed);
        }
    }
}
