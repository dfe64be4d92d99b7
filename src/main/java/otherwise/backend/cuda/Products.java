package otherwise.backend.cuda;

import otherwise.backend.Backend.Unary;
import otherwise.backend.MatmulSpec;
import otherwise.backend.Storage;

/// Who multiplies matrices.
interface Products extends AutoCloseable {
    /// y = op(a) · op(b) (+ bias `[N]`, optional) (+ y if `accumulate`)
    void matmul(Storage y, Storage a, Storage b, Storage bias, MatmulSpec s, boolean accumulate);

    /// The same with a function behind it ([otherwise.backend.Backend#matmulThen]), where that is one pass; elsewhere nothing is done.
    ///
    /// @return whether it was done
    default boolean matmulThen(Unary f, Storage y, Storage sums, Storage a, Storage b, Storage bias, MatmulSpec s) {
        return false;
    }

    /// y = x + gate · (op(a) · op(b) + bias) ([otherwise.backend.Backend#matmulOnto]), where that takes fewer passes than one after the other;
    /// elsewhere nothing is done.
    ///
    /// @return whether it was done
    default boolean matmulOnto(
            Storage y, Storage sums, Storage x, Storage gate, Storage a, Storage b, Storage bias, MatmulSpec s) {
        return false;
    }

    /// The same on a device that computes nothing ([DryDriver]), in the same memory.
    Products dry(Kernels kernels);

    @Override
    default void close() {}
}
