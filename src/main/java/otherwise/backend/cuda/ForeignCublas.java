package otherwise.backend.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static otherwise.backend.cuda.ForeignLibrary.HANDLE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasOperation;
import otherwise.backend.DeviceException;

/// cuBLAS of CUDA 13, against which JCublas2 cannot be loaded. The constants are those of CUDA 12.
final class ForeignCublas implements Cublas {
    private final MemorySegment zero = Arena.global().allocateFrom(JAVA_FLOAT, 0f);
    private final MemorySegment one = Arena.global().allocateFrom(JAVA_FLOAT, 1f);
    private final ForeignLibrary.Function gemm;
    private final ForeignLibrary.Function destroy;
    private final long handle;
    private final String description;

    /// @param workspace as in [JCublas]
    /// @throws DeviceException if the library is missing, or cuBLAS refuses
    ForeignCublas(DeviceStream stream, long workspace, long bytes) {
        var library = new ForeignLibrary("libcublas.so.13", "cublasGetStatusName", "libcublasLt.so.13");
        gemm = library.function(
                "cublasGemmStridedBatchedEx", HANDLE, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS,
                HANDLE, JAVA_INT, JAVA_INT, JAVA_LONG, HANDLE, JAVA_INT, JAVA_INT, JAVA_LONG,
                ADDRESS, HANDLE, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT);
        destroy = library.function("cublasDestroy_v2", HANDLE);
        var create = library.function("cublasCreate_v2", ADDRESS);
        var setStream = library.function("cublasSetStream_v2", HANDLE, HANDLE);
        var setWorkspace = library.function("cublasSetWorkspace_v2", HANDLE, HANDLE, JAVA_LONG);
        var setMath = library.function("cublasSetMathMode", HANDLE, JAVA_INT);
        var version = library.function("cublasGetVersion_v2", HANDLE, ADDRESS);
        handle = create.made();
        setStream.call(handle, stream.value());
        setWorkspace.call(handle, workspace, bytes);
        setMath.call(handle, cublasMath.CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
        try (var arena = Arena.ofConfined()) {
            var number = arena.allocate(JAVA_INT);
            version.call(handle, number);
            description = "cuBLAS " + Cublas.version(number.get(JAVA_INT, 0)) + " through java.lang.foreign";
        }
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public void multiply(Gemm g) {
        gemm.call(
                handle, operation(g.transposeA()), operation(g.transposeB()), g.m(), g.n(), g.k(), one,
                g.a(), g.type(), g.lda(), g.strideA(), g.b(), g.type(), g.ldb(), g.strideB(),
                g.add() ? one : zero, g.c(), g.type(), g.ldc(), g.strideC(), g.batch(), g.compute(),
                cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
    }

    private static int operation(boolean transpose) {
        return transpose ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N;
    }

    @Override
    public void close() {
        destroy.call(handle);
    }
}
