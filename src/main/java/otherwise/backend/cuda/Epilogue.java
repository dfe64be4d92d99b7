package otherwise.backend.cuda;

import otherwise.backend.Backend.Unary;
import otherwise.backend.Storage;

/// What becomes of the finished sums of a product: `epilogue.cuh`.
///
///     v = sum (+ bias) (+ y)        y = f(v)
///
/// @param bias one number a column, or `null`
/// @param sums where v is kept, or `null`
/// @param accumulate whether y is added to
/// @param f one of those that [#has], or `null` for y = v
record Epilogue(Storage bias, Storage sums, boolean accumulate, Unary f) {

    Epilogue {
        if (f != null && !has(f)) throw new IllegalArgumentException("no epilogue of " + f);
    }

    /// Sums as they are.
    static Epilogue of(Storage bias, boolean accumulate) {
        return new Epilogue(bias, null, accumulate, null);
    }

    /// Whether f is among the functions of `epilogue.cuh`.
    static boolean has(Unary f) {
        return f == Unary.SILU || f == Unary.GELU || f == Unary.GELU_TANH;
    }

    /// The kernels' struct Epilogue.
    long[] struct() {
        long function = f == null ? 0 : f == Unary.SILU ? 1 : f == Unary.GELU ? 2 : 3;
        return new long[] {address(bias), address(sums), accumulate ? 1 : 0, function};
    }

    private static long address(Storage s) {
        return s == null ? 0 : ((CudaStorage) s).address();
    }
}
