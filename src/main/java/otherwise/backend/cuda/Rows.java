package otherwise.backend.cuda;

import otherwise.backend.DType;
import otherwise.backend.Storage;

/// Launches of `rows.cu` and `channel_norm.cu`.
final class Rows {
    private static final String FILE = "rows";
    private static final String CHANNELS = "channel_norm";

    /// Rows up to this length have a warp each, `WARPS` a block.
    private static final long SHORT = 1024;
    private static final int WARP = 32;
    private static final int WARPS = 8;

    /// Rows from this length on have the largest of blocks.
    private static final long LONG = 16_384;
    private static final int LARGE_BLOCK = 1024;

    /// Threads that a sum over rows should have at least, and rows of a stretch at least.
    private static final long SUMMING = 65_536;
    private static final long FEWEST_ROWS = 16;
    private static final long MOST_PARTS = 1024;

    /// Pixels of a stretch: 16 for each thread.
    private static final long PIXELS = 16L * Kernels.BLOCK;

    private final Kernels kernels;

    Rows(Kernels kernels) {
        this.kernels = kernels;
    }

    private void launch(String kernel, Arguments arguments, long rows, long c) {
        if (rows * c == 0) return;
        Grid grid;
        if (c <= SHORT) grid = new Grid(Math.ceilDiv(rows, WARPS), 1, 1, WARP, WARPS, 1, 0);
        else grid = Grid.of(rows, c < LONG ? Kernels.BLOCK : LARGE_BLOCK);
        kernels.launch(FILE, kernel, grid, arguments.with(rows).with(c));
    }

    void softmax(Storage y, Storage x, long rows, long c) {
        launch("softmax", new Arguments().with(y).with(x), rows, c);
    }

    void softmaxBackward(Storage dx, Storage dy, Storage y, long rows, long c) {
        launch("softmax_backward", new Arguments().with(dx).with(dy).with(y), rows, c);
    }

    void logSoftmax(Storage y, Storage x, long rows, long c) {
        launch("log_softmax", new Arguments().with(y).with(x), rows, c);
    }

    void logSoftmaxBackward(Storage dx, Storage dy, Storage y, long rows, long c) {
        launch("log_softmax_backward", new Arguments().with(dx).with(dy).with(y), rows, c);
    }

    void layerNorm(Storage y, Storage mean, Storage rstd, Storage x, Storage w, Storage b, double eps, long rows, long c) {
        var arguments = new Arguments().with(y).with(mean).with(rstd).with(x).with(w).with(b).with((float) eps);
        launch("layer_norm", arguments, rows, c);
    }

    void layerNormBackward(Storage dx, Storage dw, Storage db, Storage dy, Storage x, Storage mean, Storage rstd, Storage w, long rows,
            long c) {
        normBackward(dx, dw, db, dy, x, mean, rstd, w, rows, c);
    }

    void rmsNorm(Storage y, Storage r, Storage x, Storage w, double eps, long rows, long c) {
        launch("rms_norm", new Arguments().with(y).with(r).with(x).with(w).with((float) eps), rows, c);
    }

    void rmsNormBackward(Storage dx, Storage dw, Storage dy, Storage x, Storage r, Storage w, long rows, long c) {
        normBackward(dx, dw, null, dy, x, null, r, w, rows, c);
    }

    private void normBackward(
            Storage dx, Storage dw, Storage db, Storage dy, Storage x, Storage mean, Storage scale, Storage w, long rows, long c) {
        if (dx != null)
            launch("norm_to_input", new Arguments().with(dx).with(dy).with(x).with(mean).with(scale).with(w), rows, c);
        if (c == 0 || dw == null && db == null) return;

        // In how many parts the rows are summed up depends on the sizes alone.
        long most = Math.clamp(Math.ceilDiv(SUMMING, c), 1, MOST_PARTS);
        long stretch = Math.max(FEWEST_ROWS, Math.ceilDiv(rows, most));
        long parts = Math.ceilDiv(rows, stretch);
        long room = Math.max(1, parts * c);
        try (var toW = dw == null ? null : kernels.scratch(DType.F32, room);
                var toB = db == null ? null : kernels.scratch(DType.F32, room)) {
            var partsW = toW == null ? null : toW.storage();
            var partsB = toB == null ? null : toB.storage();
            var arguments = new Arguments().with(partsW).with(partsB).with(dy).with(x).with(mean).with(scale);
            kernels.over(parts * c, FILE, "norm_to_weight", arguments.with(rows).with(c).with(stretch).with(parts * c));
            if (dw != null) addParts(dw, partsW, parts, c);
            if (db != null) addParts(db, partsB, parts, c);
        }
    }

    private void addParts(Storage y, Storage sums, long parts, long c) {
        kernels.over(c, FILE, "norm_add_parts", new Arguments().with(y).with(sums).with(parts).with(c));
    }

    void channelNorm(Storage y, Storage r, Storage x, Storage gamma, long outer, long c, long inner) {
        long n = outer * inner;
        kernels.over(n, CHANNELS, "channel_norm", new Arguments().with(y).with(r).with(x).with(gamma).with(c).with(inner).with(n));
    }

    void channelNormBackward(Storage dx, Storage dgamma, Storage dy, Storage x, Storage r, Storage gamma, long outer, long c, long inner) {
        long n = outer * inner;
        if (dx != null) {
            var arguments = new Arguments().with(dx).with(dy).with(x).with(r).with(gamma).with(c).with(inner).with(n);
            kernels.over(n, CHANNELS, "channel_norm_to_input", arguments);
        }
        if (dgamma == null || c == 0) return;

        long stretches = Math.ceilDiv(inner, PIXELS);
        long parts = outer * stretches;
        try (var sums = kernels.scratch(DType.F32, Math.max(1, c * parts))) {
            var arguments = new Arguments().with(sums.storage()).with(dy).with(x).with(r).with(outer).with(c).with(inner);
            if (parts > 0) {
                var grid = Grid.of(c * parts, Kernels.BLOCK);
                kernels.launch(CHANNELS, "channel_norm_to_gamma", grid, arguments.with(PIXELS).with(stretches));
            }
            var added = new Arguments().with(dgamma).with(sums.storage()).with(parts);
            kernels.launch(CHANNELS, "channel_norm_add_parts", Grid.of(c, Kernels.BLOCK), added);
        }
    }
}
