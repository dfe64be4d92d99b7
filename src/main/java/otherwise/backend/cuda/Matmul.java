package otherwise.backend.cuda;

import java.util.function.Consumer;
import otherwise.backend.Backend.Unary;
import otherwise.backend.DType;
import otherwise.backend.MatmulSpec;
import otherwise.backend.Storage;

/// Products of matrices: launches of `matmul.cu`, or on tensor cores, where they can and may, by [HopperMatmul] or [TensorMatmul].
final class Matmul implements Products {
    private static final String FILE = "matmul";

    private final Kernels kernels;
    private final HopperMatmul hopper;
    private final TensorMatmul tensor;

    Matmul(Kernels kernels) {
        this.kernels = kernels;
        hopper = new HopperMatmul(kernels);
        tensor = new TensorMatmul(kernels);
    }

    /// How a product of `rows × terms` and `terms × columns` is shared out among blocks: tiles of `height × width` results, the terms in
    /// `parts` of `stretch` each. It depends on the sizes alone, and so does the order of additions.
    record Tiling(int height, int width, long rowTiles, long columnTiles, long parts, long stretch) {
        static final int SMALL = 64;
        static final int LARGE = 128;

        /// Blocks that occupy a large device.
        static final long MANY = 264;

        private static final long SHORTEST = 128;

        static Tiling of(int side, long batch, long rows, long columns, long terms) {
            return of(side, side, SHORTEST, batch, rows, columns, terms);
        }

        /// @param shortest terms that are worth a block, and of which every stretch is a multiple
        static Tiling of(int height, int width, long shortest, long batch, long rows, long columns, long terms) {
            long rowTiles = Math.ceilDiv(rows, height);
            long columnTiles = Math.ceilDiv(columns, width);
            long tiles = Math.max(1, batch * rowTiles * columnTiles);
            long wanted = Math.clamp(MANY / tiles, 1, Math.max(1, terms / shortest));
            long stretch = Math.max(1, Math.ceilDiv(Math.ceilDiv(terms, wanted), shortest)) * shortest;
            return new Tiling(height, width, rowTiles, columnTiles, Math.max(1, Math.ceilDiv(terms, stretch)), stretch);
        }

        /// Large tiles where they occupy the device and compute little beyond the edges.
        static Tiling of(long batch, long rows, long columns, long terms) {
            var small = of(SMALL, batch, rows, columns, terms);
            var large = of(LARGE, batch, rows, columns, terms);
            boolean occupied = batch * large.rowTiles * large.columnTiles >= MANY;
            boolean filled = 3 * large.rowTiles * large.columnTiles <= small.rowTiles * small.columnTiles;
            return occupied && filled ? large : small;
        }

        /// Results that are computed of one matrix, those beyond its edges included.
        long area() {
            return rowTiles * height * columnTiles * width;
        }

        /// Blocks for one matrix of the batch.
        long blocks() {
            return rowTiles * columnTiles * parts;
        }
    }

    @Override
    public void matmul(Storage y, Storage a, Storage b, Storage bias, MatmulSpec s, boolean accumulate) {
        multiply(y, a, b, Epilogue.of(bias, accumulate ? y : null), s);
    }

    @Override
    public boolean matmulThen(Unary f, Storage y, Storage sums, Storage a, Storage b, Storage bias, MatmulSpec s) {
        return Epilogue.has(f) && multiply(y, a, b, new Epilogue(bias, sums, null, null, 0, f), s);
    }

    /// Kernels count rows that have gates in 32 bits.
    @Override
    public boolean matmulOnto(
            Storage y, Storage sums, Storage x, Storage gate, Storage a, Storage b, Storage bias, MatmulSpec s) {
        return s.batch() * s.m() < 1L << 32 && multiply(y, a, b, new Epilogue(bias, sums, x, gate, s.m(), null), s.tall());
    }

    /// @return whether it was done: not every kernel has every function behind the sums
    private boolean multiply(Storage y, Storage a, Storage b, Epilogue epilogue, MatmulSpec s) {
        if (s.batch() * s.m() * s.n() == 0) return true;
        if (hopper.serves(y, a, b, epilogue, s)) return hopper.matmul(y, a, b, epilogue, s);
        var tile = tensor.tile(y, a, b, epilogue, s);
        if (tile.isEmpty()) matmul(y, a, b, epilogue, s, Tiling.of(s.batch(), s.m(), s.n(), s.k()));
        else matmul(y, a, b, epilogue, s, tile.get());
        return true;
    }

    /// On tensor cores, with a tile of one's own.
    void matmul(Storage y, Storage a, Storage b, Epilogue epilogue, MatmulSpec s, TensorMatmul.Tile tile) {
        var tiling = tile.tiling(s);
        inParts(y, epilogue, s, tiling, partial -> tensor.tiles(y, partial, a, b, epilogue, s, tile, tiling));
    }

    @Override
    public Matmul dry(Kernels other) {
        return new Matmul(other);
    }

    /// With a tiling of one's own.
    void matmul(Storage y, Storage a, Storage b, Epilogue epilogue, MatmulSpec s, Tiling tiling) {
        inParts(y, epilogue, s, tiling, partial -> tiles(y, partial, a, b, epilogue, s, tiling));
    }

    /// @param tiles makes y, or with several parts the given storage: the results of each part
    private void inParts(Storage y, Epilogue epilogue, MatmulSpec s, Tiling tiling, Consumer<Storage> tiles) {
        if (tiling.parts == 1) {
            tiles.accept(null);
            return;
        }
        long size = s.batch() * s.m() * s.n();
        try (var partial = kernels.scratch(DType.F32, tiling.parts * size)) {
            tiles.accept(partial.storage());
            var arguments =
                    new Arguments().with(y).with(partial.storage()).with(tiling.parts).with(epilogue.struct()).with(s.n()).with(size);
            kernels.over(size, FILE, "matmul_add", arguments);
        }
    }

    private void tiles(Storage y, Storage partial, Storage a, Storage b, Epilogue epilogue, MatmulSpec s, Tiling tiling) {
        var arguments = new Arguments().with(y).with(partial).with(a).with(b).with(epilogue.struct()).with(struct(s, tiling));
        kernels.launch(FILE, "matmul_" + tiling.height, Grid.of(s.batch() * tiling.blocks(), Kernels.BLOCK), arguments);
    }

    /// The same, one thread an element: slow, for comparison.
    void naive(Storage y, Storage a, Storage b, Epilogue epilogue, MatmulSpec s) {
        long size = s.batch() * s.m() * s.n();
        var struct = struct(s, Tiling.of(s.batch(), s.m(), s.n(), s.k()));
        var arguments = new Arguments().with(y).with(a).with(b).with(epilogue.struct()).with(struct).with(size);
        kernels.over(size, FILE, "matmul_naive", arguments);
    }

    /// The kernels' struct Product.
    static long[] struct(MatmulSpec s, Tiling tiling) {
        return new long[] {
            s.batch(), s.m(), s.n(), s.k(),
            s.transposeA() ? 1 : s.k(), s.transposeA() ? s.m() : 1, s.strideA(),
            s.transposeB() ? s.k() : 1, s.transposeB() ? 1 : s.n(), s.strideB(),
            tiling.rowTiles, tiling.columnTiles, tiling.parts, tiling.stretch
        };
    }
}
