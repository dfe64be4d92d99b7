package otherwise.models.swin;

import java.util.List;
import otherwise.backend.Backend;
import otherwise.tensor.Tensor;

/// How one grid of tokens falls into windows: tables that depend on sizes alone, made once for a stage and used by all its blocks.
///
/// A window that is larger than the grid along an axis is clipped to it, and not shifted along it. Zero rows fill the grid up to whole
/// windows; they take part in attention like any token. A shift by half a window rolls the grid round its ends, so that windows then hold
/// tokens that are no neighbours: the mask keeps those from seeing each other.
///
/// @param partition `[B·W·L]`, for each place in a window its row in the grid, or −1 for a filled-up place
/// @param reverse `[B·T·H·W]`, for each token its place in the windows
/// @param mask `[W, L, L]`, 0 or −100; `null` where nothing is shifted
/// @param batch clips
/// @param count windows of a clip, W
/// @param length tokens of a window, L
record Windows(Tensor partition, Tensor reverse, Tensor mask, long batch, long count, long length) {
    /// What hides a token of another region. Not −∞: the official networks were trained with this.
    private static final double HIDDEN = -100;

    /// @param size the window that is asked for, along time, height and width
    /// @param shifted whether the windows lie half a window further
    static Windows of(Backend backend, Grid grid, List<Integer> size, boolean shifted) {
        var axes = new Axis[3];
        for (int i = 0; i < 3; i++) axes[i] = Axis.of(grid.size(i), size.get(i), shifted);
        var t = axes[0];
        var h = axes[1];
        var w = axes[2];
        long count = t.windows() * h.windows() * w.windows();
        long length = t.window * h.window * w.window;
        var partition = new long[Math.toIntExact(grid.b() * count * length)];
        var reverse = new long[Math.toIntExact(grid.tokens())];
        var region = new int[Math.toIntExact(count * length)];
        int at = 0;
        for (long b = 0; b < grid.b(); b++) {
            for (long wt = 0; wt < t.padded; wt += t.window) {
                for (long wh = 0; wh < h.padded; wh += h.window) {
                    for (long ww = 0; ww < w.padded; ww += w.window) {
                        // Inside one window, in the order in which its tokens are listed.
                        for (long it = wt; it < wt + t.window; it++) {
                            for (long ih = wh; ih < wh + h.window; ih++) {
                                for (long iw = ww; iw < ww + w.window; iw++, at++) {
                                    long row = grid.row(b, t.from(it), h.from(ih), w.from(iw));
                                    partition[at] = row;
                                    if (row >= 0) reverse[Math.toIntExact(row)] = at;
                                    if (b == 0) region[at] = (t.region(it) * Axis.REGIONS + h.region(ih)) * Axis.REGIONS + w.region(iw);
                                }
                            }
                        }
                    }
                }
            }
        }
        boolean rolls = t.shift + h.shift + w.shift > 0;
        return new Windows(
                Tensor.indices(backend, partition, partition.length),
                Tensor.indices(backend, reverse, reverse.length),
                rolls ? mask(backend, region, count, length) : null,
                grid.b(),
                count,
                length);
    }

    /// Two tokens see each other if their regions, written as one-hot rows, have the scalar product 1. The device multiplies, so that only
    /// the regions travel and not a table of all pairs.
    private static Tensor mask(Backend backend, int[] region, long count, long length) {
        int regions = Axis.REGIONS * Axis.REGIONS * Axis.REGIONS;
        var oneHot = new float[Math.multiplyExact(region.length, regions)];
        for (int i = 0; i < region.length; i++) oneHot[i * regions + region[i]] = 1;
        var rows = Tensor.of(backend, oneHot, count, length, regions);
        return rows.matmulT(rows).affine(-HIDDEN, HIDDEN);
    }

    /// The grid's list of tokens as windows: `[B·T·H·W, C]` → `[B·W·L, C]`.
    Tensor partition(Tensor x) {
        return x.gatherRows(partition);
    }

    /// Back to the grid, without the places that were filled up: `[B·W·L, C]` → `[B·T·H·W, C]`.
    Tensor reverse(Tensor x) {
        return x.gatherRows(reverse);
    }

    /// One axis: its size filled up to whole windows, the window, and by how much the grid is rolled.
    record Axis(long padded, long window, long shift) {
        static final int REGIONS = 3;

        static Axis of(long size, int window, boolean shifted) {
            if (size <= window) return new Axis(size, size, 0);
            return new Axis((size + window - 1) / window * window, window, shifted ? window / 2 : 0);
        }

        long windows() {
            return padded / window;
        }

        /// Which position of the grid comes to lie at `i` of the rolled one.
        long from(long i) {
            return (i + shift) % padded;
        }

        /// Where position `i` of the rolled grid belongs: the whole windows, the rest of the last one, or what was rolled round.
        int region(long i) {
            if (shift == 0 || i < padded - window) return 0;
            return i < padded - shift ? 1 : 2;
        }
    }
}
