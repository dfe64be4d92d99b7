package otherwise.backend.cuda;

import otherwise.backend.MatmulSpec;
import otherwise.backend.Storage;

/// Who multiplies matrices.
interface Products extends AutoCloseable {
    /// y = op(a) · op(b) (+ bias `[N]`, optional) (+ y if `accumulate`)
    void matmul(Storage y, Storage a, Storage b, Storage bias, MatmulSpec s, boolean accumulate);

    @Override
    default void close() {}
}
