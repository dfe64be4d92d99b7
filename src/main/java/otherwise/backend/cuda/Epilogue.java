package otherwise.backend.cuda;

import otherwise.backend.Backend.Unary;
import otherwise.backend.Storage;

/// What becomes of the finished sums of a product: `epilogue.cuh`.
///
///     v = sum (+ bias)        y = (x +) (gate ·) f(v)
///
/// @param bias one number a column, or `null`
/// @param sums where v is kept, or `null`
/// @param x what is added, of the size of y, and possibly y itself; or `null`
/// @param gate one number a column for each `length` rows, or `null`
/// @param f one of those that [#has], or `null` for v itself
record Epilogue(Storage bias, Storage sums, Storage x, Storage gate, long length, Unary f) {

    Epilogue {
        if (f != null && !has(f)) throw new IllegalArgumentException("no epilogue of " + f);
    }

    /// Sums as they are, added to x, if given.
    static Epilogue of(Storage bias, Storage x) {
        return new Epilogue(bias, null, x, null, 0, null);
    }

    /// Whether f is among the functions of `epilogue.cuh`.
    static boolean has(Unary f) {
        return f == Unary.SILU || f == Unary.GELU || f == Unary.GELU_TANH;
    }

    /// The kernels' struct Epilogue.
    long[] struct() {
        long function = f == null ? 0 : f == Unary.SILU ? 1 : f == Unary.GELU ? 2 : 3;
        return new long[] {CudaStorage.address(bias), CudaStorage.address(sums), CudaStorage.address(x), CudaStorage.address(gate), length,
            function};
    }

    /// All addresses, bit by bit one or the other.
    long addresses() {
        return CudaStorage.address(bias) | CudaStorage.address(sums) | CudaStorage.address(x) | CudaStorage.address(gate);
    }
}
