package otherwise.backend.cuda;

import java.util.stream.Stream;
import otherwise.backend.AttentionSpec;
import otherwise.backend.DType;
import otherwise.backend.Storage;

/// Launches of `attention_tensor.cu` and `attention_tensor_back.cu`, whose kernels take what those of `attention.cu` and `attention_back.cu` do.
final class TensorAttention {
    private static final String FILE = "attention_tensor";
    private static final String BACK = "attention_tensor_back";
    private static final int THREADS = 128;
    private static final int WIDEST = 128;

    /// Rows that a block owns, and rows that go by at a time, as in the kernel file.
    private static final int QUERIES = 128;
    private static final int KEYS = 64;
    private static final int PASSING = 64;
    private static final int PASSING_BACK = 32;

    /// Bytes that are copied at once, and elements of them.
    private static final long COPIED = 16;
    private static final int ELEMENTS = 8;

    private final Kernels kernels;

    TensorAttention(Kernels kernels) {
        this.kernels = kernels;
    }

    /// Whether these kernels can do it: numbers are bf16, rows begin at multiples of 16 bytes, the width fits; and a larger product is a
    /// larger score.
    boolean serves(AttentionSpec s, Storage... inputs) {
        return kernels.tensorCores() && kernels.real() == DType.BF16 && s.width() % ELEMENTS == 0 && s.width() <= WIDEST && s.scale() > 0
                && Stream.of(inputs).allMatch(x -> CudaStorage.address(x) % COPIED == 0);
    }

    /// Shared memory: the queries, and three tiles.
    void forward(Arguments arguments, AttentionSpec s, boolean added) {
        launch(FILE, "attention_tensor_", s, added, s.length(), QUERIES, matrices(s, QUERIES + 3 * PASSING), arguments);
    }

    /// Shared memory: queries and dy, two tiles each of keys and values; two floats a query.
    void toQueries(Arguments arguments, AttentionSpec s, boolean added) {
        long shared = matrices(s, 2 * QUERIES + 4 * PASSING_BACK) + 2L * Float.BYTES * QUERIES;
        launch(BACK, "attention_tensor_to_queries_", s, added, s.length(), QUERIES, shared, arguments);
    }

    /// Shared memory: keys and values, two tiles each of queries and dy; the scores of a tile, and twice two floats for its queries.
    void toKeys(Arguments arguments, AttentionSpec s, boolean added) {
        long scores = (long) DType.BF16.bytes() * KEYS * PASSING_BACK;
        long shared = matrices(s, 2 * KEYS + 4 * PASSING_BACK) + scores + 4L * Float.BYTES * PASSING_BACK;
        launch(BACK, "attention_tensor_to_keys_", s, added, s.keys(), KEYS, shared, arguments);
    }

    private void launch(String file, String kernel, AttentionSpec s, boolean added, long rows, int own, long shared, Arguments arguments) {
        var grid = Grid.of(s.batch() * s.heads() * Math.ceilDiv(rows, own), THREADS).shared(shared);
        kernels.launch(file, kernel + columns(s) + (added ? "_added" : ""), grid, arguments);
    }

    /// The width, filled up with zeros.
    private static int columns(AttentionSpec s) {
        return s.width() <= 32 ? 32 : s.width() <= 64 ? 64 : WIDEST;
    }

    /// Bytes of so many rows.
    private static long matrices(AttentionSpec s, int rows) {
        return (long) DType.BF16.bytes() * rows * columns(s);
    }
}
