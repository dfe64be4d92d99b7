package otherwise.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jcuda.cudaDataType;
import jcuda.jcublas.cublasComputeType;
import otherwise.backend.Backend.Binary;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.MatmulSpec;
import otherwise.backend.Storage;

/// Products by cuBLAS. Numbers are stored as the backend stores them, floats are seen as TF32 where that was asked for, sums are in float;
/// equal calls give equal bits.
///
/// cuBLAS knows matrices column by column alone. A dense matrix row by row is its own transpose column by column, so instead of
/// y = op(a) · op(b) it is asked for yᵀ = op(b)ᵀ · op(a)ᵀ: b comes first, and M and N change places. It has no bias: y begins as the bias, and
/// the product is added, which costs y one more way to memory and back. Where the product is to be gated and added to something, that is a
/// pass of its own, and the bias goes with it.
final class CublasProducts implements Products {
    /// What cuBLAS works in: as much as it asks for on the largest devices.
    private static final long WORKSPACE = 32L << 20;

    /// How a backend binds cuBLAS.
    @FunctionalInterface
    interface Binding {
        /// @throws DeviceException if it cannot be loaded, or does not go on this device
        Cublas open(DeviceStream stream, long workspace, long bytes);
    }

    private final Driver driver;
    private final Recorder recorder;
    private final Movement movement;
    private final Elementwise elementwise;
    private final Rows rows;
    private final Products ours;
    private final int type;
    private final int compute;
    private final long workspace;
    private Cublas cublas;

    /// @param ours for the products that cuBLAS cannot count
    /// @throws DeviceException if it cannot be loaded, or computes nothing right on this device
    CublasProducts(Binding binding, Driver driver, Kernels kernels, Products ours) {
        this(driver, kernels, ours, driver.allocate(WORKSPACE));
        if (workspace == 0) throw new DeviceException("no memory for cuBLAS to work in");
        try {
            driver.enqueue("cublasCreate", stream -> cublas = binding.open(stream, workspace, WORKSPACE));
            tryOut(kernels);
        } catch (DeviceException e) {
            close();
            throw e;
        }
    }

    private CublasProducts(Driver driver, Kernels kernels, Products ours, long workspace) {
        this.driver = driver;
        this.ours = ours;
        this.workspace = workspace;
        recorder = kernels.recorder();
        movement = new Movement(kernels);
        elementwise = new Elementwise(kernels);
        rows = new Rows(kernels);
        type = kernels.real() == DType.BF16 ? cudaDataType.CUDA_R_16BF : cudaDataType.CUDA_R_32F;
        compute = kernels.real() == DType.F32 && kernels.tensorCores() ? cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32
                : cublasComputeType.CUBLAS_COMPUTE_32F;
    }

    /// A library may be there and not know the device: better to see it now than in the middle of a run.
    private void tryOut(Kernels kernels) {
        int side = 16;
        int size = side * side;
        try (var y = kernels.scratch(kernels.real(), size);
                var a = kernels.scratch(kernels.real(), size)) {
            driver.toDevice(y.storage().address(), filled(kernels.real(), size, 9));
            driver.toDevice(a.storage().address(), filled(kernels.real(), size, 1));
            matmul(y.storage(), a.storage(), a.storage(), null, MatmulSpec.of(side, side, side, false, false), false);
            var result = filled(kernels.real(), size, 0);
            driver.toHost(result, y.storage().address());
            if (result.mismatch(filled(kernels.real(), size, side)) >= 0)
                throw new DeviceException(cublas.description() + " computes wrong products on this device");
        }
    }

    /// So many small integers, as they are stored.
    static MemorySegment filled(DType real, long n, int value) {
        var all = MemorySegment.ofArray(new byte[Math.toIntExact(n * real.bytes())]);
        int bits = Float.floatToRawIntBits(value);
        for (long i = 0; i < n; i++) {
            if (real == DType.BF16) all.setAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, i, (short) (bits >>> 16));
            else all.setAtIndex(ValueLayout.JAVA_INT_UNALIGNED, i, bits);
        }
        return all;
    }

    @Override
    public void matmul(Storage y, Storage a, Storage b, Storage bias, MatmulSpec s, boolean accumulate) {
        long lines = s.batch() * s.m();
        if (lines * s.n() == 0) return;
        if (s.k() == 0 || Math.max(Math.max(s.m(), s.n()), Math.max(s.k(), s.batch())) > Integer.MAX_VALUE) {
            ours.matmul(y, a, b, bias, s, accumulate);
            return;
        }
        long[] dims = {lines, s.n()};
        long[] dense = {s.n(), 1};
        long[] everyRow = {0, 1};
        if (bias != null && accumulate) elementwise.binary(Binary.ADD, y, y, dense, bias, everyRow, dims);
        else if (bias != null) movement.copy(y, 0, dense, bias, 0, everyRow, dims);
        var g = gemm(CudaStorage.address(y), CudaStorage.address(a), CudaStorage.address(b), s, accumulate || bias != null);
        recorder.enqueue(g, _ -> cublas.multiply(g));
    }

    /// In two passes over y, while nobody asks for the sums.
    @Override
    public boolean matmulOnto(
            Storage y, Storage sums, Storage x, Storage gate, Storage a, Storage b, Storage bias, MatmulSpec s) {
        if (sums != null) return false;
        matmul(y, a, b, null, s.tall(), false);
        rows.gatedAdd(y, x, gate, y, bias, s.batch(), s.m(), s.n());
        return true;
    }

    /// Its driver hands nothing on to cuBLAS, which has its workspace already.
    @Override
    public CublasProducts dry(Kernels kernels) {
        return new CublasProducts(kernels.driver(), kernels, ours.dry(kernels), 0);
    }

    private Cublas.Gemm gemm(long y, long a, long b, MatmulSpec s, boolean add) {
        int m = (int) s.m();
        int n = (int) s.n();
        int k = (int) s.k();
        return new Cublas.Gemm(
                s.transposeB(), s.transposeA(), n, m, k,
                b, s.transposeB() ? k : n, s.strideB(), a, s.transposeA() ? m : k, s.strideA(), add, y, n, s.m() * s.n(),
                (int) s.batch(), type, compute);
    }

    /// Version and binding, for a person.
    String description() {
        return cublas.description();
    }

    @Override
    public void close() {
        if (cublas != null) driver.enqueue("cublasDestroy", _ -> cublas.close());
        if (workspace != 0) driver.free(workspace);
    }
}
