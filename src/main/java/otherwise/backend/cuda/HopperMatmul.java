package otherwise.backend.cuda;

import otherwise.backend.Backend.Unary;
import otherwise.backend.DType;
import otherwise.backend.MatmulSpec;
import otherwise.backend.Storage;

/// Launches of `matmul_hopper.cu`: large products of bf16 on a Hopper GPU.
final class HopperMatmul {
    private static final String FILE = "matmul_hopper";
    private static final int ROWS = 128;
    private static final int COLUMNS = 256;
    private static final int TERMS = 64;
    private static final int STAGES = 4;
    private static final int THREADS = 384;

    /// Stages, up to 1 KiB to where the first may begin, two barriers a stage.
    private static final int SHARED = STAGES * (ROWS + COLUMNS) * TERMS * 2 + 1024 + STAGES * 16;

    private final Kernels kernels;
    private final Driver driver;

    HopperMatmul(Kernels kernels) {
        this.kernels = kernels;
        driver = kernels.driver();
    }

    /// Whether this device can, and it is worth it: tiles for half of the multiprocessors, and results in half of what tiles cover.
    boolean serves(Storage y, Storage a, Storage b, Epilogue epilogue, MatmulSpec s) {
        if (!driver.hopper() || kernels.real() != DType.BF16 || !fits(y, a, b, epilogue, s)) return false;
        long tiles = tiles(s, ROWS);
        return 2 * tiles >= driver.multiprocessors() && 2 * s.batch() * s.m() * s.n() >= tiles * ROWS * COLUMNS;
    }

    /// Rows, matrices and addresses of operands and result in multiples of 16 bytes, and coordinates of 32 bits.
    private static boolean fits(Storage y, Storage a, Storage b, Epilogue epilogue, MatmulSpec s) {
        int eight = TensorMap.ALIGNMENT / DType.BF16.bytes();
        long rows = (s.transposeA() ? s.m() : s.k()) | (s.transposeB() ? s.k() : s.n()) | s.n();
        long addresses = CudaStorage.address(a) | CudaStorage.address(b) | CudaStorage.address(y) | epilogue.addresses();
        return s.k() > 0 && (rows | s.strideA() | s.strideB()) % eight == 0 && addresses % TensorMap.ALIGNMENT == 0
                && Math.max(Math.max(s.m(), s.n()), Math.max(s.k(), s.batch())) < Integer.MAX_VALUE - COLUMNS;
    }

    private static long tiles(MatmulSpec s, int rows) {
        return s.batch() * Math.ceilDiv(s.m(), rows) * Math.ceilDiv(s.n(), COLUMNS);
    }

    /// How many blocks share what they bring: two, where there are rows of tiles for both, and pairs take no more turns of the
    /// multiprocessors than tiles, though with an odd number of rows those of the last have no neighbour.
    static int blocks(MatmulSpec s, int multiprocessors) {
        int pairs = multiprocessors / 2;
        if (pairs == 0 || s.m() <= ROWS) return 1;
        return Math.ceilDiv(tiles(s, 2 * ROWS), pairs) <= Math.ceilDiv(tiles(s, ROWS), multiprocessors) ? 2 : 1;
    }

    /// @return whether it was done: of the functions behind the sums there is only the one of Wan's layers
    boolean matmul(Storage y, Storage a, Storage b, Epilogue epilogue, MatmulSpec s) {
        return matmul(y, a, b, epilogue, s, driver.clusters() ? blocks(s, driver.multiprocessors()) : 1);
    }

    /// With clusters of one's own.
    ///
    /// @param blocks of a cluster, 1 or 2
    boolean matmul(Storage y, Storage a, Storage b, Epilogue epilogue, MatmulSpec s, int blocks) {
        if (epilogue.f() != null && epilogue.f() != Unary.GELU_TANH) return false;
        boolean aLines = s.transposeA();
        boolean bLines = !s.transposeB();
        var mapA = map(a, s.m(), s.k(), aLines, ROWS, s.batch(), s.strideA());
        var mapB = map(b, s.n(), s.k(), bLines, COLUMNS / blocks, s.batch(), s.strideB());
        long[] sizes = {s.batch(), s.m(), s.n(), s.k(), s.strideA() == 0 ? 0 : 1, s.strideB() == 0 ? 0 : 1};
        var arguments = new Arguments().with(driver.encode(mapA)).with(driver.encode(mapB)).with(y).with(epilogue.struct())
                .with(sizes);
        var name =
                FILE + (blocks == 2 ? "_pairs" : "") + (aLines && bLines ? "_both_lines" : aLines ? "_a_lines" : bLines ? "_b_lines" : "");
        // A multiprocessor has one block, and the two of a cluster lie side by side: on an H100 132 make 66 pairs.
        long clusters = Math.min(tiles(s, blocks * ROWS), driver.multiprocessors() / blocks);
        kernels.launch(FILE, name, Grid.of(clusters * blocks, THREADS).shared(SHARED), arguments);
        return true;
    }

    /// An operand of so many lines and terms. The rows in memory, and of a box, lie along the terms, or else along the lines.
    ///
    /// @param share lines that a block brings at once
    private static TensorMap map(
            Storage x, long lines, long terms, boolean alongLines, int share, long batch, long stride) {
        long columns = alongLines ? lines : terms;
        long rows = alongLines ? terms : lines;
        long rowBytes = columns * DType.BF16.bytes();
        // One matrix has no next one, but its distance must not be nothing.
        long matrixBytes = stride == 0 ? rows * rowBytes : stride * DType.BF16.bytes();
        return new TensorMap(CudaStorage.address(x), columns, rows, stride == 0 ? 1 : batch, rowBytes, matrixBytes,
                alongLines ? TERMS : share);
    }
}
