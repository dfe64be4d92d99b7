package otherwise.backend.cpu;

import static otherwise.backend.cpu.GemmKernel.COLUMNS;
import static otherwise.backend.cpu.GemmKernel.ROWS;
import static otherwise.backend.cpu.VectorMath.LANES;
import static otherwise.backend.cpu.VectorMath.SPECIES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// Copies pieces of matrices into the order in which [GemmKernel] reads them.
///
/// All offsets into segments are counted in floats. Rows or columns beyond the matrix become zeros.
final class Pack {
    /// Half a panel or a whole one, whichever a vector holds.
    private static final VectorSpecies<Float> EIGHT = LANES >= ROWS ? FloatVector.SPECIES_256 : FloatVector.SPECIES_128;

    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

    private Pack() {}

    /// Columns of a packed panel for `columns` columns: whole vectors.
    static int padded(int columns) {
        return (columns + LANES - 1) / LANES * LANES;
    }

    /// Panels of 8 rows of op(a) from `row`, over `k` columns: `to[p·8·k + i·8 + r]` = op(a)[row + 8p + r, i].
    ///
    /// @param from where op(a)[row, first k] lies; `stride` from a stored row to the next
    static void rows(float[] to, MemorySegment a, long from, long stride, boolean transposed, int rows, int k) {
        if (transposed) {
            interleaved(to, a, from, stride, rows, k);
            return;
        }
        for (int r = 0; r < rows; r += ROWS) {
            Turn.turn(to, r * k, ROWS, a, from + r * stride, stride, Math.min(ROWS, rows - r), k, ROWS);
        }
    }

    /// One panel of up to [GemmKernel#COLUMNS] columns of op(b), all `k` rows: `to[at + i·padded(columns) + j]` = op(b)[i, j].
    ///
    /// @param from where op(b)[0, first column] lies; `stride` from a stored row to the next
    static void columns(float[] to, int at, MemorySegment b, long from, long stride, boolean transposed, int columns, int k) {
        int width = padded(columns);
        if (!transposed) {
            straight(to, at, width, b, from, stride, columns, k);
            return;
        }
        for (int j = 0; j < width; j += ROWS) {
            int n = Math.clamp(columns - j, 0, ROWS);
            Turn.turn(to, at + j, width, b, from + j * stride, stride, n, k, Math.min(ROWS, width - j));
        }
    }

    /// `to[at + i]` = x[from + i] for i < n. Rows are short: this is inlined, where a copy by the platform is a call.
    static void copy(MemorySegment x, long from, float[] to, int at, int n) {
        int i = 0;
        for (; i + LANES <= n; i += LANES) {
            FloatVector.fromMemorySegment(SPECIES, x, (from + i) * Float.BYTES, ORDER).intoArray(to, at + i);
        }
        if (i < n) {
            var in = SPECIES.indexInRange(i, n);
            FloatVector.fromMemorySegment(SPECIES, x, (from + i) * Float.BYTES, ORDER, in).intoArray(to, at + i, in);
        }
    }

    /// x[to + i] = `from[at + i]` for i < n
    static void copy(float[] from, int at, MemorySegment x, long to, int n) {
        int i = 0;
        for (; i + LANES <= n; i += LANES) {
            FloatVector.fromArray(SPECIES, from, at + i).intoMemorySegment(x, (to + i) * Float.BYTES, ORDER);
        }
        if (i < n) {
            var in = SPECIES.indexInRange(i, n);
            FloatVector.fromArray(SPECIES, from, at + i, in).intoMemorySegment(x, (to + i) * Float.BYTES, ORDER, in);
        }
    }

    /// `to[at + i·width + j]` = x[from + i·stride + j] for j < n, then zeros up to `width`, whole vectors: row by row.
    private static void straight(float[] to, int at, int width, MemorySegment x, long from, long stride, int n, int k) {
        var last = SPECIES.indexInRange(width - LANES, n);
        for (int i = 0; i < k; i++) {
            long row = from + i * stride;
            int j = 0;
            for (; j < width - LANES; j += LANES) {
                FloatVector.fromMemorySegment(SPECIES, x, (row + j) * Float.BYTES, ORDER).intoArray(to, at + i * width + j);
            }
            FloatVector.fromMemorySegment(SPECIES, x, (row + j) * Float.BYTES, ORDER, last).intoArray(to, at + i * width + j);
        }
    }

    /// Panels of 8 of `n` elements of each of `k` rows: `to[p·8·k + i·8 + r]` = x[from + i·stride + 8p + r], or 0 beyond the n elements.
    private static void interleaved(float[] to, MemorySegment x, long from, long stride, int n, int k) {
        int whole = n / ROWS * ROWS;
        // Four panels at a time: two cache lines read, and no more places written to than the cache tells apart.
        for (int first = 0; first < whole; first += 4 * ROWS) {
            int end = Math.min(whole, first + 4 * ROWS);
            for (int i = 0; i < k; i++) {
                long row = from + i * stride;
                for (int r = first; r < end; r += EIGHT.length()) {
                    FloatVector.fromMemorySegment(EIGHT, x, (row + r) * Float.BYTES, ORDER)
                            .intoArray(to, r / ROWS * ROWS * k + i * ROWS + r % ROWS);
                }
            }
        }
        if (whole == n) return;
        for (int i = 0; i < k; i++) {
            long row = from + i * stride + whole;
            int panel = whole * k + i * ROWS;
            for (int r = 0; r < ROWS; r++) to[panel + r] = whole + r < n ? x.get(FLOAT, (row + r) * Float.BYTES) : 0f;
        }
    }

    /// Row offsets of a packed panel of each width: `ROW_STARTS[v][i]` = i · v vectors.
    static int[] rowStarts(int columns) {
        return ROW_STARTS[padded(columns) / LANES];
    }

    /// The most rows of a panel that one call of the kernel covers.
    static final int DEPTH = 384;

    private static final int[][] ROW_STARTS = new int[COLUMNS / LANES + 1][DEPTH];

    static {
        for (int v = 0; v < ROW_STARTS.length; v++) {
            int width = v * LANES;
            Arrays.setAll(ROW_STARTS[v], i -> i * width);
        }
    }
}
