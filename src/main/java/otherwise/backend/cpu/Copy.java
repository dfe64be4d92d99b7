package otherwise.backend.cpu;

import otherwise.backend.Axes;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/// Moving elements without changing them: slices, permutations, repeats, and rows by number.
///
/// The axes are sorted so that the destination is written in its own order; then a copy is either long runs (whole rows), a transpose
/// (both sides dense, along different axes; done in square tiles so that each cache line is used up), or single elements.
final class Copy {
    /// Below this many bytes a run is moved element by element: a bulk copy has a price of its own.
    private static final long BULK = 64;

    /// The side of a transposed tile.
    private static final long TILE = 16;

    private Copy() {}

    static void strided(
            Parallel parallel,
            MemorySegment y,
            long yOffset,
            long[] yStrides,
            MemorySegment x,
            long xOffset,
            long[] xStrides,
            long[] dims,
            int bytes) {
        var order = IntStream.range(0, dims.length)
                .boxed()
                .sorted(Comparator.comparingLong((Integer i) -> -yStrides[i]))
                .mapToInt(i -> i)
                .toArray();
        var axes = Axes.merged(sorted(dims, order), sorted(yStrides, order), sorted(xStrides, order));
        int last = axes.rank() - 1;
        int denseInX = axes.innerStride(0) == 1 ? denseAxis(axes) : -1;
        if (denseInX >= 0 && denseInX != last && axes.dims()[denseInX] > 1)
            transpose(parallel, y, yOffset, x, xOffset, axes, denseInX, bytes);
        else
            runs(parallel, y, yOffset, x, xOffset, axes, bytes);
    }

    private static long[] sorted(long[] values, int[] order) {
        return Arrays.stream(order).mapToLong(i -> values[i]).toArray();
    }

    /// The axis along which x is dense, or -1.
    private static int denseAxis(Axes axes) {
        for (int i = axes.rank() - 1; i >= 0; i--) if (axes.strides()[1][i] == 1) return i;
        return -1;
    }

    /// One run along the fastest axis after the other.
    private static void runs(Parallel parallel, MemorySegment y, long yOffset, MemorySegment x, long xOffset, Axes axes, int bytes) {
        long inner = axes.inner();
        long stepY = axes.innerStride(0);
        long stepX = axes.innerStride(1);
        parallel.range(axes.size(), Lanes.GRAIN, (from, to) -> {
            var walk = axes.walk(1, from / inner);
            long column = from % inner;
            for (long i = from; i < to;) {
                long n = Math.min(inner - column, to - i);
                long iy = yOffset + walk.offset(0) + column * stepY;
                long ix = xOffset + walk.offset(1) + column * stepX;
                if (stepY == 1 && stepX == 1 && n * bytes >= BULK) MemorySegment.copy(x, ix * bytes, y, iy * bytes, n * bytes);
                else run(y, iy, stepY, x, ix, stepX, n, bytes);
                i += n;
                column = 0;
                walk.next();
            }
        });
    }

    private static void run(MemorySegment y, long iy, long stepY, MemorySegment x, long ix, long stepX, long n, int bytes) {
        switch (bytes) {
            case 1 -> {
                for (long j = 0; j < n; j++) y.set(JAVA_BYTE, iy + j * stepY, x.get(JAVA_BYTE, ix + j * stepX));
            }
            case 2 -> {
                for (long j = 0; j < n; j++)
                    y.set(JAVA_SHORT_UNALIGNED, (iy + j * stepY) << 1, x.get(JAVA_SHORT_UNALIGNED, (ix + j * stepX) << 1));
            }
            case 4 -> {
                for (long j = 0; j < n; j++)
                    y.set(JAVA_INT_UNALIGNED, (iy + j * stepY) << 2, x.get(JAVA_INT_UNALIGNED, (ix + j * stepX) << 2));
            }
            default -> {
                for (long j = 0; j < n; j++)
                    y.set(JAVA_LONG_UNALIGNED, (iy + j * stepY) << 3, x.get(JAVA_LONG_UNALIGNED, (ix + j * stepX) << 3));
            }
        }
    }

    /// Axis `across` is dense in x, the last axis is dense in y. A task is a band of tiles; the other axes are walked outside.
    private static void transpose(
            Parallel parallel, MemorySegment y, long yOffset, MemorySegment x, long xOffset, Axes axes, int across, int bytes) {
        int last = axes.rank() - 1;
        long rows = axes.dims()[across];
        long columns = axes.dims()[last];
        long rowY = axes.strides()[0][across];
        long columnX = axes.strides()[1][last];
        var outer = axes.without(across, last);
        long bands = (rows + TILE - 1) / TILE;
        parallel.range(outer.size() * bands, Math.max(1, Lanes.GRAIN / (TILE * columns)), (from, to) -> {
            for (long task = from; task < to; task++) {
                var at = outer.walk(0, task / bands);
                long r = task % bands * TILE;
                long height = Math.min(TILE, rows - r);
                long iy = yOffset + at.offset(0) + r * rowY;
                long ix = xOffset + at.offset(1) + r;
                for (long c = 0; c < columns; c += TILE) {
                    long width = Math.min(TILE, columns - c);
                    for (long j = 0; j < height; j++) run(y, iy + j * rowY + c, 1, x, ix + j + c * columnX, columnX, width, bytes);
                }
            }
        });
    }

    static void gatherRows(Parallel parallel, MemorySegment y, MemorySegment x, MemorySegment index, long rows, long c) {
        long bytes = c << 2;
        parallel.range(rows, Math.max(1, Lanes.GRAIN / Math.max(1, c)), (from, to) -> {
            for (long r = from; r < to; r++) {
                long source = index.get(JAVA_LONG_UNALIGNED, r << 3);
                if (source < 0) y.asSlice(r * bytes, bytes).fill((byte) 0);
                else if (bytes >= BULK) MemorySegment.copy(x, source * bytes, y, r * bytes, bytes);
                else run(y, r * c, 1, x, source * c, 1, c, 4);
            }
        });
    }

    /// Each task owns some columns of y and goes through all rows in order: no two tasks meet, and the order of the sums is fixed.
    static void scatterAddRows(
            Parallel parallel, MemorySegment y, MemorySegment x, MemorySegment index, long rows, long yRows, long c) {
        y.asSlice(0, yRows * c << 2).fill((byte) 0);
        // A small job is not worth dividing, and narrow bands use memory badly: an eighth of the columns, in whole cache lines.
        long band = rows * c <= Lanes.GRAIN ? c : Math.max(64, (c / 8 + 63) & -64);
        parallel.range(c, band, (from, to) -> {
            int w = VectorMath.LANES;
            long end = from + Lanes.whole(to - from);
            for (long r = 0; r < rows; r++) {
                long target = index.get(JAVA_LONG_UNALIGNED, r << 3);
                if (target < 0) continue;
                long iy = target * c;
                long ix = r * c;
                for (long j = from; j < end; j += w) Lanes.store(Lanes.load(y, iy + j).add(Lanes.load(x, ix + j)), y, iy + j);
                for (long j = end; j < to; j++) Lanes.put(y, iy + j, Lanes.at(y, iy + j) + Lanes.at(x, ix + j));
            }
        });
    }
}
