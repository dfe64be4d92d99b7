package otherwise.backend.cuda;

import otherwise.backend.Backend.Reduction;
import otherwise.backend.DType;
import otherwise.backend.Storage;

/// Launches of `reduce.cu`: stretch by stretch until one number is left for each element of the result.
final class Reductions {
    private static final String FILE = "reduce";

    /// Elements of a stretch where a block has one: 16 for each thread.
    private static final long ROW_STRETCH = 16L * Kernels.BLOCK;

    /// Elements of a stretch where a thread has one: few enough for a sum in float.
    private static final long COLUMN_STRETCH = 256;

    private final Kernels kernels;

    Reductions(Kernels kernels) {
        this.kernels = kernels;
    }

    void reduce(Reduction f, Storage y, Storage x, long outer, long n, long inner) {
        if (outer * inner == 0) return;
        reduce(f, y, x, outer, n, inner, true);
    }

    private void reduce(Reduction f, Storage y, Storage x, long outer, long n, long inner, boolean first) {
        long stretch = inner == 1 ? ROW_STRETCH : COLUMN_STRETCH;
        long parts = Math.max(1, Math.ceilDiv(n, stretch));
        try (var made = kernels.scratch(DType.F32, outer * parts * inner)) {
            var sums = made.storage();
            // What kernels made is floats, and little.
            int pack = first ? kernels.pack(inner == 1 ? n : inner, x) : 1;
            var arguments = new Arguments().with(f).with(sums).with(x).with(n);
            var kernel = (inner == 1 ? "reduce_rows_" : "reduce_columns_") + (first ? "first" : "again");
            if (inner == 1) arguments.with(stretch).with(parts);
            else arguments.with(inner).with(stretch).with(parts).with(sums.size());
            if (first) arguments.with(pack);
            if (inner == 1) kernels.launch(FILE, kernel, Grid.of(outer * parts, Kernels.BLOCK), arguments);
            else kernels.over(sums.size() / pack, FILE, kernel, arguments);
            if (parts > 1) reduce(f, y, sums, outer, parts, inner, false);
            else kernels.over(y.size(), FILE, "reduce_store", new Arguments().with(y).with(sums).with(y.size()));
        }
    }
}
