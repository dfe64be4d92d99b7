package otherwise.backend.cpu;

import static otherwise.backend.cpu.GemmKernel.COLUMNS;
import static otherwise.backend.cpu.GemmKernel.ROWS;
import static otherwise.backend.cpu.VectorMath.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// Copies pieces of matrices into the order in which [GemmKernel] reads them.
///
/// All offsets into segments are counted in floats. Rows or columns beyond the matrix become zeros.
final class Pack {
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
        for (int r = 0; r < rows; r += ROWS) {
            int n = Math.min(ROWS, rows - r);
            if (transposed) {
                interleaved(to, r * k, ROWS, a, from + r, stride, n, k);
            } else {
                transposed(to, r * k, ROWS, a, from + r * stride, stride, n, k, ROWS);
            }
        }
    }

    /// One panel of up to [GemmKernel#COLUMNS] columns of op(b), all `k` rows: `to[at + i·padded(columns) + j]` = op(b)[i, j].
    ///
    /// @param from where op(b)[0, first column] lies; `stride` from a stored row to the next
    static void columns(float[] to, int at, MemorySegment b, long from, long stride, boolean transposed, int columns, int k) {
        int width = padded(columns);
        if (!transposed) {
            interleaved(to, at, width, b, from, stride, columns, k);
            return;
        }
        for (int j = 0; j < width; j += ROWS) {
            int n = Math.clamp(columns - j, 0, ROWS);
            transposed(to, at + j, width, b, from + j * stride, stride, n, k, Math.min(ROWS, width - j));
        }
    }

    /// `to[at + i·width + j]` = x[from + i·stride + j] for j < n, then zeros up to `width`: row by row.
    private static void interleaved(float[] to, int at, int width, MemorySegment x, long from, long stride, int n, int k) {
        for (int i = 0; i < k; i++) {
            int row = at + i * width;
            MemorySegment.copy(x, FLOAT, (from + i * stride) * Float.BYTES, to, row, n);
            if (n < width) Arrays.fill(to, row + n, row + width, 0f);
        }
    }

    /// `to[at + i·width + r]` = x[from + r·stride + i] for r < n, zeros for n ≤ r < room: rows become columns.
    static void transposed(float[] to, int at, int width, MemorySegment x, long from, long stride, int n, int k, int room) {
        var rows = Scratch.mine().floats(Scratch.Use.ROWS, (long) ROWS * k);
        for (int r = 0; r < n; r++) MemorySegment.copy(x, FLOAT, (from + r * stride) * Float.BYTES, rows, r * k, k);
        turn(to, at, width, rows, 0, k, n, k, room);
    }

    /// `to[at + i·width + r]` = rows[from + r·stride + i] for r < n ≤ 8, zeros for n ≤ r < room, for all i < k.
    static void turn(float[] to, int at, int width, float[] rows, int from, int stride, int n, int k, int room) {
        if (n == ROWS) {
            int r1 = from + stride, r2 = r1 + stride, r3 = r2 + stride, r4 = r3 + stride, r5 = r4 + stride, r6 = r5 + stride,
                    r7 = r6 + stride;
            for (int i = 0; i < k; i++) {
                int d = at + i * width;
                to[d] = rows[from + i];
                to[d + 1] = rows[r1 + i];
                to[d + 2] = rows[r2 + i];
                to[d + 3] = rows[r3 + i];
                to[d + 4] = rows[r4 + i];
                to[d + 5] = rows[r5 + i];
                to[d + 6] = rows[r6 + i];
                to[d + 7] = rows[r7 + i];
            }
            return;
        }
        for (int i = 0; i < k; i++) {
            for (int r = 0; r < n; r++) to[at + i * width + r] = rows[from + r * stride + i];
            for (int r = n; r < room; r++) to[at + i * width + r] = 0f;
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
