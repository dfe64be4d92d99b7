package otherwise.backend.cuda;

/// The calls of cuBLAS that are needed, whichever way they are bound. Each finds the device current on its thread.
interface Cublas extends AutoCloseable {

    /// A batch of products c = op(a) · op(b) (+ c, if `add`). Matrices lie as cuBLAS has them, column after column: c has m rows and n columns,
    /// and `ld…` elements from one column to the next.
    ///
    /// @param a the address of the first matrix; the others follow every `strideA` elements
    /// @param type a constant of `cudaDataType`, for all three
    /// @param compute a constant of `cublasComputeType`
    record Gemm(
            boolean transposeA, boolean transposeB, int m, int n, int k,
            long a, int lda, long strideA, long b, int ldb, long strideB, boolean add, long c, int ldc, long strideC,
            int batch, int type, int compute) {

        @Override
        public String toString() {
            return "cuBLAS product %d×%d×%d%s%s, batch %d, type %d, compute %d%s".formatted(m, n, k, transposeA ? ", a transposed" : "",
                    transposeB ? ", b transposed" : "", batch, type, compute, add ? ", added" : "");
        }
    }

    /// Version and binding, for a person.
    String description();

    /// @throws otherwise.backend.DeviceException with what cuBLAS says
    void multiply(Gemm g);

    @Override
    void close();

    /// The three numbers of `cublasGetVersion`: 120304 is 12.3.4.
    static String version(int number) {
        return number / 10_000 + "." + number % 10_000 / 100 + "." + number % 100;
    }
}
