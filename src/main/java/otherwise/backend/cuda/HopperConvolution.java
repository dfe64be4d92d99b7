package otherwise.backend.cuda;

import java.util.List;
import otherwise.backend.DType;
import otherwise.backend.Storage;
import otherwise.backend.cuda.Convolution.Axis;
import otherwise.backend.cuda.TensorConvolution.Call;

/// Launches of `conv3d_hopper.cu`: convolutions of bf16 on a Hopper GPU, of what [TensorConvolution] has packed.
final class HopperConvolution {
    private static final String FILE = "conv3d_hopper";

    /// As in the kernel file: channels of a tile and what else it has.
    private enum Tile {
        NARROW(96, 32, 2, 7), BROAD(192, 16, 3, 4);

        static final int WIDE = 16;
        static final int LONGEST = 3;
        static final int THREADS = 384;

        private final int outputs;
        private final int high;
        private final int boxStages;
        private final int stages;

        Tile(int outputs, int high, int boxStages, int stages) {
            this.outputs = outputs;
            this.high = high;
            this.boxStages = boxStages;
            this.stages = stages;
        }

        /// Broad ones, but where their last one would have no more than a narrow one has.
        static Tile of(long outputs) {
            return Math.ceilDiv(outputs, NARROW.outputs) % 2 == 0 ? BROAD : NARROW;
        }

        /// Boxes and weights, up to 1 KiB to where the first may begin, two barriers a stage.
        long shared() {
            long boxes = (long) boxStages * (high + LONGEST - 1) * WIDE;
            return (boxes + (long) stages * outputs) * TensorMap.BOX_COLUMNS * DType.BF16.bytes() + 1024
                    + (boxStages + stages) * 2L * Long.BYTES;
        }

        long tiles(long outputs, Axis h, Axis w) {
            return Math.ceilDiv(outputs, this.outputs) * Math.ceilDiv(h.columns(), high) * Math.ceilDiv(w.columns(), WIDE);
        }
    }

    /// Channels that make it worth it: two products of 16 terms a tap.
    private static final int CHANNELS = 32;

    /// Elements of a row that are stored at once.
    private static final int PACK = 4;

    private final Kernels kernels;
    private final Driver driver;

    HopperConvolution(Kernels kernels) {
        this.kernels = kernels;
        driver = kernels.driver();
    }

    /// Whether this device can, and it is worth it: tiles for half of the multiprocessors, and results in half of what tiles cover. Strides are
    /// 1, rows of the result multiples of 8 bytes.
    boolean serves(Call c) {
        if (!driver.hopper() || kernels.real() != DType.BF16 || c.channels() < CHANNELS || !dense(c.t()) || !dense(c.h()) || !dense(c.w()))
            return false;
        var h = c.h().getFirst();
        var w = c.w().getFirst();
        if (h.taps() > Tile.LONGEST || w.size() % PACK != 0 || !Kernels.aligned(c.y())) return false;
        var tile = Tile.of(c.rows());
        long tiles = tile.tiles(c.rows(), h, w);
        return 2 * c.batch() * c.t().getFirst().columns() * tiles >= driver.multiprocessors()
                && 2 * c.rows() * h.columns() * w.columns() >= tiles * tile.outputs * tile.high * Tile.WIDE;
    }

    /// Of strides 1: neighbouring positions read, and are, neighbours.
    private static boolean dense(List<Axis> phases) {
        return phases.size() == 1 && phases.getFirst().stride() == 1 && phases.getFirst().every() == 1;
    }

    /// Of a tile.
    static long rows(Call c) {
        return Tile.of(c.rows()).high;
    }

    /// Samples from `b` on, at positions for which is packed what they read, which is something.
    void multiply(Call c, Storage packed, Storage weights, long b, long batches, Axis t, Axis h, Axis w) {
        var tile = Tile.of(c.rows());
        long tiles = Math.multiplyExact(batches * t.columns(), tile.tiles(c.rows(), h, w));
        Math.toIntExact(tiles);
        long position = c.chunks() * TensorMap.ALIGNMENT;
        long row = w.source() * position;
        long frame = h.source() * row;
        int high = (int) (tile.high + h.taps() - 1);
        var x = new TensorMap(CudaStorage.address(packed), c.channels(), List.of(
                new TensorMap.Axis(w.source(), position, Tile.WIDE), new TensorMap.Axis(h.source(), row, high),
                new TensorMap.Axis(t.source(), frame, 1), new TensorMap.Axis(batches, t.source() * frame, 1)));
        var weight = new TensorMap(CudaStorage.address(weights), c.channels(), List.of(
                new TensorMap.Axis(c.kernel(), position, 1), new TensorMap.Axis(c.rows(), c.kernel() * position, tile.outputs)));
        var product = new long[] {
            c.rows(), c.channels(), batches, b, Math.ceilDiv(c.rows(), tile.outputs), Math.ceilDiv(w.columns(), Tile.WIDE),
            Math.ceilDiv(h.columns(), tile.high)
        };
        var arguments = new Arguments().with(c.y()).with(driver.encode(x)).with(driver.encode(weight)).with(c.bias()).with(product)
                .with(struct(t)).with(struct(h)).with(struct(w));
        var grid = Grid.of(Math.min(tiles, driver.multiprocessors()), Tile.THREADS).shared(tile.shared());
        kernels.launch(FILE, FILE + "_" + tile.outputs, grid, arguments);
    }

    private static long[] struct(Axis a) {
        return new long[] {a.columns(), a.taps(), a.first(), a.turn(), a.size(), a.start()};
    }
}
