package otherwise.backend.cuda;

import static jcuda.jcublas.JCublas2.cublasCreate;
import static jcuda.jcublas.JCublas2.cublasDestroy;
import static jcuda.jcublas.JCublas2.cublasGemmStridedBatchedEx_new;
import static jcuda.jcublas.JCublas2.cublasGetVersion;
import static jcuda.jcublas.JCublas2.cublasSetMathMode;
import static jcuda.jcublas.JCublas2.cublasSetStream;
import static jcuda.jcublas.JCublas2.cublasSetWorkspace;

import jcuda.Pointer;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;
import otherwise.backend.DeviceException;

/// cuBLAS of CUDA 12, through JCublas2.
final class JCublas implements Cublas {
    private final cublasHandle handle = new cublasHandle();
    private final Pointer zero = Pointer.to(new float[] {0});
    private final Pointer one = Pointer.to(new float[] {1});
    private final String description;

    /// @param workspace so many `bytes` on the device for cuBLAS to work in: with memory of its own the order of additions could change
    ///        from call to call
    /// @throws DeviceException if a library is missing, or cuBLAS refuses
    JCublas(DeviceStream stream, long workspace, long bytes) {
        JCudaLibraries.loadCublas();
        check("cublasCreate", cublasCreate(handle));
        var version = new int[1];
        check("cublasGetVersion", cublasGetVersion(handle, version));
        description = "cuBLAS " + Cublas.version(version[0]) + " through JCublas2";
        check("cublasSetStream", cublasSetStream(handle, new cudaStream_t(stream)));
        check("cublasSetWorkspace", cublasSetWorkspace(handle, new DeviceAddress(workspace), bytes));
        check("cublasSetMathMode", cublasSetMathMode(handle, cublasMath.CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION));
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public void multiply(Gemm g) {
        // The older method of this name, without "_new", takes a data type where this one takes a compute type.
        int status = cublasGemmStridedBatchedEx_new(
                handle, operation(g.transposeA()), operation(g.transposeB()), g.m(), g.n(), g.k(), one,
                new DeviceAddress(g.a()), g.type(), g.lda(), g.strideA(), new DeviceAddress(g.b()), g.type(), g.ldb(), g.strideB(),
                g.add() ? one : zero, new DeviceAddress(g.c()), g.type(), g.ldc(), g.strideC(), g.batch(), g.compute(),
                cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
        if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) check(g.toString(), status);
    }

    private static int operation(boolean transpose) {
        return transpose ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N;
    }

    private static void check(String call, int status) {
        if (status != cublasStatus.CUBLAS_STATUS_SUCCESS)
            throw new DeviceException("cuda: " + call + ": " + cublasStatus.stringFor(status));
    }

    @Override
    public void close() {
        check("cublasDestroy", cublasDestroy(handle));
    }
}
