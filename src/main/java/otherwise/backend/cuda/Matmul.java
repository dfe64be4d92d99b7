package otherwise.backend.cuda;

import otherwise.backend.DType;
import otherwise.backend.MatmulSpec;
import otherwise.backend.Storage;

/// Launches of `matmul.cu`.
final class Matmul implements Products {
    private static final String FILE = "matmul";

    private final Kernels kernels;
    private final HopperMatmul hopper;

    Matmul(Kernels kernels) {
        this.kernels = kernels;
        hopper = new HopperMatmul(kernels);
    }

    /// How a product of `rows × terms` and `terms × columns` is shared out among blocks: tiles of `side × side` results, the terms in `parts`
    /// of `stretch` each. It depends on the sizes alone, and so does the order of additions.
    ///
    /// @param side [#SMALL] or [#LARGE]
    record Tiling(int side, long rowTiles, long columnTiles, long parts, long stretch) {
        static final int SMALL = 64;
        static final int LARGE = 128;

        /// Blocks that occupy a large device.
        private static final long MANY = 264;

        /// Terms that are worth a block, and of which every stretch is a multiple.
        private static final long SHORTEST = 128;

        static Tiling of(int side, long batch, long rows, long columns, long terms) {
            long rowTiles = Math.ceilDiv(rows, side);
            long columnTiles = Math.ceilDiv(columns, side);
            long tiles = Math.max(1, batch * rowTiles * columnTiles);
            long wanted = Math.clamp(MANY / tiles, 1, Math.max(1, terms / SHORTEST));
            long stretch = Math.max(1, Math.ceilDiv(Math.ceilDiv(terms, wanted), SHORTEST)) * SHORTEST;
            return new Tiling(side, rowTiles, columnTiles, Math.max(1, Math.ceilDiv(terms, stretch)), stretch);
        }

        /// Large tiles where they occupy the device and compute little beyond the edges.
        static Tiling of(long batch, long rows, long columns, long terms) {
            var small = of(SMALL, batch, rows, columns, terms);
            var large = of(LARGE, batch, rows, columns, terms);
            boolean occupied = batch * large.rowTiles * large.columnTiles >= MANY;
            boolean filled = 3 * large.rowTiles * large.columnTiles <= small.rowTiles * small.columnTiles;
            return occupied && filled ? large : small;
        }

        /// Blocks for one matrix of the batch.
        long blocks() {
            return rowTiles * columnTiles * parts;
        }
    }

    @Override
    public void matmul(Storage y, Storage a, Storage b, Storage bias, MatmulSpec s, boolean accumulate) {
        if (s.batch() * s.m() * s.n() == 0) return;
        if (hopper.serves(y, a, b, bias, s)) hopper.matmul(y, a, b, bias, s, accumulate);
        else matmul(y, a, b, bias, s, accumulate, Tiling.of(s.batch(), s.m(), s.n(), s.k()));
    }

    /// With a tiling of one's own.
    void matmul(Storage y, Storage a, Storage b, Storage bias, MatmulSpec s, boolean accumulate, Tiling tiling) {
        long size = s.batch() * s.m() * s.n();
        if (tiling.parts == 1) {
            tiles(y, null, a, b, bias, s, accumulate, tiling);
            return;
        }
        try (var partial = kernels.scratch(DType.F32, tiling.parts * size)) {
            tiles(y, partial.storage(), a, b, bias, s, accumulate, tiling);
            var arguments = new Arguments().with(y).with(partial.storage()).with(tiling.parts).with(bias).with(accumulate ? 1 : 0)
                    .with(s.n()).with(size);
            kernels.over(size, FILE, "matmul_add", arguments);
        }
    }

    private void tiles(
            Storage y, Storage partial, Storage a, Storage b, Storage bias, MatmulSpec s, boolean accumulate, Tiling tiling) {
        var arguments =
                new Arguments().with(y).with(partial).with(a).with(b).with(bias).with(accumulate ? 1 : 0).with(struct(s, tiling));
        kernels.launch(FILE, "matmul_" + tiling.side, Grid.of(s.batch() * tiling.blocks(), Kernels.BLOCK), arguments);
    }

    /// The same, one thread an element: slow, for comparison.
    void naive(Storage y, Storage a, Storage b, Storage bias, MatmulSpec s, boolean accumulate) {
        long size = s.batch() * s.m() * s.n();
        var struct = struct(s, Tiling.of(s.batch(), s.m(), s.n(), s.k()));
        var arguments = new Arguments().with(y).with(a).with(b).with(bias).with(accumulate ? 1 : 0).with(struct).with(size);
        kernels.over(size, FILE, "matmul_naive", arguments);
    }

    /// The kernels' struct Product.
    private static long[] struct(MatmulSpec s, Tiling tiling) {
        return new long[] {
            s.batch(), s.m(), s.n(), s.k(),
            s.transposeA() ? 1 : s.k(), s.transposeA() ? s.m() : 1, s.strideA(),
            s.transposeB() ? s.k() : 1, s.transposeB() ? 1 : s.n(), s.strideB(),
            tiling.rowTiles, tiling.columnTiles, tiling.parts, tiling.stretch
        };
    }
}
