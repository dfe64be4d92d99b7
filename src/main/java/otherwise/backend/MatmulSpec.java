package otherwise.backend;

/// The sizes of a (batched) matrix product `y = op(a) · op(b)`, with y `[batch, M, N]`.
///
/// op(a) is `[M, K]`, stored as `[K, M]` if `transposeA`; op(b) is `[K, N]`, stored as `[N, K]` if `transposeB`. All matrices are dense
/// and row-major. Batch `i` starts at element `i * strideA` of a and `i * strideB` of b; a stride of 0 shares one matrix.
public record MatmulSpec(long batch, long m, long n, long k, boolean transposeA, boolean transposeB, long strideA, long strideB) {

    /// One product of dense matrices.
    public static MatmulSpec of(long m, long n, long k, boolean transposeA, boolean transposeB) {
        return new MatmulSpec(1, m, n, k, transposeA, transposeB, 0, 0);
    }

    /// The same as one product of all rows, where those of a lie one below the other and all share b.
    public MatmulSpec tall() {
        boolean tall = strideB == 0 && !transposeA && strideA == m * k;
        return tall ? of(batch * m, n, k, false, transposeB) : this;
    }
}
