package otherwise.backend.cuda;

import otherwise.backend.DType;
import otherwise.backend.Storage;

/// Launches of `rows.cu`, `softmax.cu`, `rms_norm_rope.cu` and `channel_norm.cu`.
final class Rows {
    private static final String FILE = "rows";
    private static final String SOFTMAX = "softmax";
    private static final String TURNED = "rms_norm_rope";
    private static final String CHANNELS = "channel_norm";

    private static final int WARP = 32;

    /// As in `rows.cuh`: packs of a row that a thread keeps, and the most warps of a block.
    private static final int HELD = 4;
    private static final int MOST_WARPS = 16;

    /// Rows of a block, where a warp has one.
    private static final int SHORT_ROWS = 8;

    /// Threads that a sum over rows should have at least, and rows of a stretch at least.
    private static final long SUMMING = 65_536;
    private static final long FEWEST_ROWS = 16;
    private static final long MOST_PARTS = 1024;

    /// As in `channel_norm.cu`: packs of pixels beside each other in a block, and channels that a thread keeps.
    private static final int PACKS_OF_PIXELS = 8;
    private static final int HELD_CHANNELS = 6;

    /// Pixels of a stretch: 16 for each thread.
    private static final long PIXELS = 16L * Kernels.BLOCK;

    private final Kernels kernels;

    Rows(Kernels kernels) {
        this.kernels = kernels;
    }

    /// A row has as many warps as keep it in registers, as long as a block can have so many.
    private void launch(String file, String kernel, Arguments arguments, long rows, long c, int pack) {
        if (rows * c == 0) return;
        int warps = (int) Math.min(Math.ceilDiv(c, (long) pack * WARP * HELD), MOST_WARPS);
        var grid = warps == 1
                ? new Grid(Math.ceilDiv(rows, SHORT_ROWS), 1, 1, WARP, SHORT_ROWS, 1, 0)
                : Grid.of(rows, warps * WARP);
        kernels.launch(file, kernel, grid, arguments.with(rows).with(c).with(pack));
    }

    void softmax(Storage y, Storage x, long rows, long c) {
        launch(SOFTMAX, "softmax", new Arguments().with(y).with(x), rows, c, kernels.pack(c, y, x));
    }

    void softmaxBackward(Storage dx, Storage dy, Storage y, long rows, long c) {
        launch(SOFTMAX, "softmax_backward", new Arguments().with(dx).with(dy).with(y), rows, c, kernels.pack(c, dx, dy, y));
    }

    void logSoftmax(Storage y, Storage x, long rows, long c) {
        launch(SOFTMAX, "log_softmax", new Arguments().with(y).with(x), rows, c, kernels.pack(c, y, x));
    }

    void logSoftmaxBackward(Storage dx, Storage dy, Storage y, long rows, long c) {
        launch(SOFTMAX, "log_softmax_backward", new Arguments().with(dx).with(dy).with(y), rows, c, kernels.pack(c, dx, dy, y));
    }

    void layerNorm(Storage y, Storage mean, Storage rstd, Storage x, Storage w, Storage b, double eps, long rows, long c) {
        layerNorm(y, mean, rstd, x, w, b, 0, eps, 1, rows, c);
    }

    void modulatedNorm(Storage y, Storage mean, Storage rstd, Storage x, Storage scale, Storage shift, double eps, long batch, long length,
            long c) {
        layerNorm(y, mean, rstd, x, scale, shift, 1, eps, batch, length, c);
    }

    /// Weights `plus` + w and b for each group of `length` rows.
    private void layerNorm(Storage y, Storage mean, Storage rstd, Storage x, Storage w, Storage b, float plus, double eps, long groups,
            long length, long c) {
        var arguments = new Arguments().with(y).with(mean).with(rstd).with(x).with(w).with(b).with(plus).with(length).with((float) eps);
        launch(FILE, "layer_norm", arguments, groups * length, c, kernels.pack(c, y, x, w, b));
    }

    void layerNormBackward(Storage dx, Storage dw, Storage db, Storage dy, Storage x, Storage mean, Storage rstd, Storage w, long rows,
            long c) {
        normBackward(dx, dw, db, dy, x, mean, rstd, w, 0, 1, rows, c);
    }

    void modulatedNormBackward(Storage dx, Storage dscale, Storage dshift, Storage dy, Storage x, Storage mean, Storage rstd,
            Storage scale, long batch, long length, long c) {
        normBackward(dx, dscale, dshift, dy, x, mean, rstd, scale, 1, batch, length, c);
    }

    void rmsNorm(Storage y, Storage r, Storage x, Storage w, double eps, long rows, long c) {
        launch(FILE, "rms_norm", new Arguments().with(y).with(r).with(x).with(w).with((float) eps), rows, c, kernels.pack(c, y, x, w));
    }

    void rmsNormBackward(Storage dx, Storage dw, Storage dy, Storage x, Storage r, Storage w, long rows, long c) {
        normBackward(dx, dw, null, dy, x, null, r, w, 0, 1, rows, c);
    }

    private void normBackward(
            Storage dx, Storage dw, Storage db, Storage dy, Storage x, Storage mean, Storage scale, Storage w, float plus, long groups,
            long length, long c) {
        if (dx != null) {
            var arguments = new Arguments().with(dx).with(dy).with(x).with(mean).with(scale).with(w).with(plus).with(length);
            launch(FILE, "norm_to_input", arguments, groups * length, c, kernels.pack(c, dx, dy, x, w));
        }
        long size = groups * c;
        if (size == 0 || dw == null && db == null) return;

        long stretch = stretch(size, length);
        long parts = Math.ceilDiv(length, stretch);
        long room = Math.max(1, parts * size);
        try (var toW = dw == null ? null : kernels.scratch(DType.F32, room);
                var toB = db == null ? null : kernels.scratch(DType.F32, room)) {
            var partsW = toW == null ? null : toW.storage();
            var partsB = toB == null ? null : toB.storage();
            var arguments = new Arguments().with(partsW).with(partsB).with(dy).with(x).with(mean).with(scale);
            kernels.over(
                    parts * size, FILE, "norm_to_weight",
                    arguments.with(length).with(c).with(stretch).with(parts).with(parts * size));
            if (dw != null) addParts(dw, partsW, parts, c, size);
            if (db != null) addParts(db, partsB, parts, c, size);
        }
    }

    /// Rows that are summed up at a time, of `length`, where `size` columns are: in how many parts depends on the sizes alone.
    private static long stretch(long size, long length) {
        long most = Math.clamp(Math.ceilDiv(SUMMING, size), 1, MOST_PARTS);
        return Math.max(FEWEST_ROWS, Math.ceilDiv(length, most));
    }

    /// As [Kernels#pack], but a pair at least. A pack lies within a head.
    private int packOfPairs(long width, Storage... operands) {
        return Math.max(2, kernels.pack(width, operands));
    }

    void rmsNormRope(
            Storage y, Storage r, Storage x, Storage w, Storage cos, Storage sin, double eps, long batch, long length, long heads,
            long width) {
        var arguments = new Arguments().with(y).with(r).with(x).with(w).with(cos).with(sin).with(length).with(width / 2).with((float) eps);
        launch(TURNED, "rms_norm_rope", arguments, batch * length, heads * width, packOfPairs(width, y, x, w));
    }

    void rmsNormRopeBackward(
            Storage dx, Storage dw, Storage dy, Storage x, Storage r, Storage w, Storage cos, Storage sin, long batch, long length,
            long heads, long width) {
        long rows = batch * length;
        long c = heads * width;
        var arguments = new Arguments().with(dx).with(dy).with(x).with(r).with(w).with(cos).with(sin).with(length).with(width / 2);
        launch(TURNED, "rms_norm_rope_to_input", arguments, rows, c, packOfPairs(width, dx, dy, x, w));
        if (dw == null || c == 0) return;

        long stretch = stretch(c, rows);
        long parts = Math.ceilDiv(rows, stretch);
        try (var sums = kernels.scratch(DType.F32, Math.max(1, parts * c))) {
            var summing = new Arguments().with(sums.storage()).with(dy).with(x).with(r).with(cos).with(sin).with(length).with(width / 2);
            long pairs = parts * c / 2;
            kernels.over(pairs, TURNED, "rms_norm_rope_to_weight", summing.with(rows).with(c).with(stretch).with(pairs));
            addParts(dw, sums.storage(), parts, c, c);
        }
    }

    /// y = x + gate · (h + bias), of which x, gate and bias are optional
    void gatedAdd(Storage y, Storage x, Storage gate, Storage h, Storage bias, long batch, long length, long c) {
        var arguments = new Arguments().with(y).with(x).with(gate).with(h).with(bias).with(length);
        launch(FILE, "gated_add", arguments, batch * length, c, kernels.pack(c, y, x, gate, h, bias));
    }

    void gatedAddBackward(Storage dh, Storage dgate, Storage dy, Storage gate, Storage h, long batch, long length, long c) {
        if (dh != null) gatedAdd(dh, null, gate, dy, null, batch, length, c);
        // The gate's gradient is that of the weights of a norm which leaves h as it is.
        if (dgate != null) normBackward(null, dgate, null, dy, h, null, null, null, 0, batch, length, c);
    }

    private void addParts(Storage y, Storage sums, long parts, long c, long size) {
        kernels.over(size, FILE, "norm_add_parts", new Arguments().with(y).with(sums).with(parts).with(c).with(size));
    }

    void channelNorm(Storage y, Storage r, Storage x, Storage gamma, boolean silu, long outer, long c, long inner) {
        var arguments = new Arguments().with(y).with(r).with(x).with(gamma).with(silu ? 1 : 0);
        overPixels("channel_norm", arguments, outer, c, inner, kernels.pack(inner, y, x, r));
    }

    /// A block stands on pixels beside each other, and has as many threads for each as keep its channels in registers, as long as it can.
    private void overPixels(String kernel, Arguments arguments, long outer, long c, long inner, int pack) {
        long n = outer * inner;
        if (n == 0) return;
        int width = pack == 1 ? WARP : PACKS_OF_PIXELS;
        int warps = Math.clamp(Math.ceilDiv(c * width, WARP * HELD_CHANNELS), 1, Kernels.BLOCK / WARP);
        var grid = new Grid(Math.ceilDiv(n, (long) width * pack), 1, 1, width, warps * WARP / width, 1, 0);
        kernels.launch(CHANNELS, kernel, grid, arguments.with(c).with(inner).with(n).with(pack));
    }

    void channelNormBackward(
            Storage dx, Storage dgamma, Storage dy, Storage x, Storage r, Storage gamma, boolean silu, long outer, long c, long inner) {
        if (dx != null) {
            var arguments = new Arguments().with(dx).with(dy).with(x).with(r).with(gamma).with(silu ? 1 : 0);
            overPixels("channel_norm_to_input", arguments, outer, c, inner, kernels.pack(inner, dx, dy, x, r));
        }
        if (dgamma == null || c == 0) return;

        long stretches = Math.ceilDiv(inner, PIXELS);
        long parts = outer * stretches;
        try (var sums = kernels.scratch(DType.F32, Math.max(1, c * parts))) {
            var arguments = new Arguments().with(sums.storage()).with(dy).with(x).with(r).with(gamma).with(silu ? 1 : 0).with(outer).with(c)
                    .with(inner);
            if (parts > 0) {
                var grid = Grid.of(c * parts, Kernels.BLOCK);
                kernels.launch(CHANNELS, "channel_norm_to_gamma", grid, arguments.with(PIXELS).with(stretches));
            }
            var added = new Arguments().with(dgamma).with(sums.storage()).with(parts);
            kernels.launch(CHANNELS, "channel_norm_add_parts", Grid.of(c, Kernels.BLOCK), added);
        }
    }
}
