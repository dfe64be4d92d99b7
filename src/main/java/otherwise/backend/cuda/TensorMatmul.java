package otherwise.backend.cuda;

import java.util.Optional;
import otherwise.backend.MatmulSpec;
import otherwise.backend.Storage;
import otherwise.backend.cuda.Matmul.Tiling;

/// Launches of `matmul_tensor.cu`.
final class TensorMatmul {
    private static final String FILE = "matmul_tensor";

    /// Of what is copied at once.
    private static final int BYTES = 16;

    /// Rows, columns and terms below which a tile would be mostly empty.
    private static final long LEAST = 16;

    private final Kernels kernels;

    TensorMatmul(Kernels kernels) {
        this.kernels = kernels;
    }

    /// What a block makes of y: a kernel of its own each.
    enum Tile {
        SMALL(64, 64, 128, 4),
        MEDIUM(128, 128, 128, 3),
        LARGE(128, 256, 256, 4);

        /// Terms that are worth a block.
        private static final long SHORTEST = 256;

        private final int height;
        private final int width;
        private final int threads;
        private final int stages;

        Tile(int height, int width, int threads, int stages) {
            this.height = height;
            this.width = width;
            this.threads = threads;
            this.stages = stages;
        }

        Tiling tiling(MatmulSpec s) {
            return Tiling.of(height, width, SHORTEST, s.batch(), s.m(), s.n(), s.k());
        }

        /// Whether tiles of this size occupy a large device and compute little more beyond the edges than the given ones.
        private boolean suits(MatmulSpec s, Tile smaller) {
            var tiling = tiling(s);
            return s.batch() * tiling.rowTiles() * tiling.columnTiles() >= Tiling.MANY
                    && 8 * tiling.area() <= 9 * smaller.tiling(s).area();
        }

        /// The largest that suits; it depends on the sizes alone.
        private static Tile of(MatmulSpec s) {
            if (!MEDIUM.suits(s, SMALL)) return SMALL;
            return LARGE.suits(s, MEDIUM) ? LARGE : MEDIUM;
        }

        private String kernel() {
            return "matmul_tensor_" + width;
        }

        /// A ring of stages of rows and columns, 64 bytes of each.
        private int shared() {
            return stages * (height + width) * 4 * BYTES;
        }
    }

    /// The tiles for a product, if tensor cores are to compute it: those of this device may, 16 bytes of an operand lie in one row of its
    /// matrix, aligned, and no side is short. The result, and what the epilogue reads, must be aligned where 16 bytes of them lie in one row.
    Optional<Tile> tile(Storage y, Storage a, Storage b, Epilogue epilogue, MatmulSpec s) {
        boolean whole = s.n() * kernels.real().bytes() % BYTES == 0;
        long addresses = CudaStorage.address(a) | CudaStorage.address(b) | (whole ? CudaStorage.address(y) | epilogue.addresses() : 0);
        return addresses % BYTES == 0 ? tile(s) : Optional.empty();
    }

    /// The same, if all addresses are aligned.
    Optional<Tile> tile(MatmulSpec s) {
        int chunk = BYTES / kernels.real().bytes();
        boolean aligned = (s.transposeA() ? s.m() : s.k()) % chunk == 0 && (s.transposeB() ? s.k() : s.n()) % chunk == 0
                && s.strideA() % chunk == 0 && s.strideB() % chunk == 0;
        boolean worthIt = Math.min(s.k(), Math.min(s.m(), s.n())) >= LEAST && s.k() <= Integer.MAX_VALUE; // terms are counted in ints
        return kernels.tensorCores() && aligned && worthIt ? Optional.of(Tile.of(s)) : Optional.empty();
    }

    /// y, or the results of several parts to `partial`.
    void tiles(Storage y, Storage partial, Storage a, Storage b, Epilogue epilogue, MatmulSpec s, Tile tile, Tiling tiling) {
        var arguments = new Arguments().with(y).with(partial).with(a).with(b).with(epilogue.struct()).with(Matmul.struct(s, tiling));
        kernels.launch(FILE, tile.kernel(), Grid.of(s.batch() * tiling.blocks(), tile.threads).shared(tile.shared()), arguments);
    }
}
