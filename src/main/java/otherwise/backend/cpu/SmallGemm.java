package otherwise.backend.cpu;

import jdk.incubator.vector.FloatVector;

/// c (+)= a · b on heap arrays that are already where the kernel wants them: no packing, for products small enough to stay in cache.
///
/// Rows of b and c are padded to whole pairs of vectors, so that there is no tail along N.
final class SmallGemm {
    private static final int W = VectorMath.LANES;
    /// Columns come in steps of this many.
    static final int STEP = 2 * W;
    private static final int ROWS = 8;

    private SmallGemm() {}

    /// `n` rounded up to whole steps.
    static int padded(long n) {
        return Math.toIntExact((n + STEP - 1) / STEP * STEP);
    }

    /// c `[M, N]` (+)= a · b `[K, N]`, where element (i, k) of a lies at `aFrom + i·aRow + k·aColumn`.
    ///
    /// @param n a whole number of steps
    static void multiply(
            float[] c, int cFrom, int cRow, float[] a, int aFrom, int aRow, int aColumn, float[] b, int bFrom, int bRow, int m, int n, int k, boolean add) {
        for (int j = 0; j < n; j += STEP) {
            int i = 0;
            for (; i + ROWS <= m; i += ROWS) {
                eightRows(c, cFrom + i * cRow + j, cRow, a, aFrom + i * aRow, aRow, aColumn, b, bFrom + j, bRow, k, add);
            }
            for (; i < m; i++) oneRow(c, cFrom + i * cRow + j, a, aFrom + i * aRow, aColumn, b, bFrom + j, bRow, k, add);
        }
    }

    private static void oneRow(float[] c, int c0, float[] a, int a0, int aColumn, float[] b, int b0, int bRow, int k, boolean add) {
        var s = VectorMath.SPECIES;
        var x = add ? FloatVector.fromArray(s, c, c0) : FloatVector.zero(s);
        var y = add ? FloatVector.fromArray(s, c, c0 + W) : FloatVector.zero(s);
        for (int p = 0; p < k; p++) {
            var v = FloatVector.broadcast(s, a[a0 + p * aColumn]);
            x = v.fma(FloatVector.fromArray(s, b, b0 + p * bRow), x);
            y = v.fma(FloatVector.fromArray(s, b, b0 + p * bRow + W), y);
        }
        x.intoArray(c, c0);
        y.intoArray(c, c0 + W);
    }

    /// Eight rows by two vectors: sixteen sums stay in registers.
    private static void eightRows(
            float[] c, int c0, int cRow, float[] a, int a0, int aRow, int aColumn, float[] b, int b0, int bRow, int k, boolean add) {
        var s = VectorMath.SPECIES;
        var zero = FloatVector.zero(s);
        var x0 = add ? FloatVector.fromArray(s, c, c0) : zero;
        var y0 = add ? FloatVector.fromArray(s, c, c0 + W) : zero;
        var x1 = add ? FloatVector.fromArray(s, c, c0 + cRow) : zero;
        var y1 = add ? FloatVector.fromArray(s, c, c0 + cRow + W) : zero;
        var x2 = add ? FloatVector.fromArray(s, c, c0 + 2 * cRow) : zero;
        var y2 = add ? FloatVector.fromArray(s, c, c0 + 2 * cRow + W) : zero;
        var x3 = add ? FloatVector.fromArray(s, c, c0 + 3 * cRow) : zero;
        var y3 = add ? FloatVector.fromArray(s, c, c0 + 3 * cRow + W) : zero;
        var x4 = add ? FloatVector.fromArray(s, c, c0 + 4 * cRow) : zero;
        var y4 = add ? FloatVector.fromArray(s, c, c0 + 4 * cRow + W) : zero;
        var x5 = add ? FloatVector.fromArray(s, c, c0 + 5 * cRow) : zero;
        var y5 = add ? FloatVector.fromArray(s, c, c0 + 5 * cRow + W) : zero;
        var x6 = add ? FloatVector.fromArray(s, c, c0 + 6 * cRow) : zero;
        var y6 = add ? FloatVector.fromArray(s, c, c0 + 6 * cRow + W) : zero;
        var x7 = add ? FloatVector.fromArray(s, c, c0 + 7 * cRow) : zero;
        var y7 = add ? FloatVector.fromArray(s, c, c0 + 7 * cRow + W) : zero;
        for (int p = 0; p < k; p++) {
            var u = FloatVector.fromArray(s, b, b0 + p * bRow);
            var v = FloatVector.fromArray(s, b, b0 + p * bRow + W);
            int at = a0 + p * aColumn;
            var r = FloatVector.broadcast(s, a[at]);
            x0 = r.fma(u, x0);
            y0 = r.fma(v, y0);
            r = FloatVector.broadcast(s, a[at + aRow]);
            x1 = r.fma(u, x1);
            y1 = r.fma(v, y1);
            r = FloatVector.broadcast(s, a[at + 2 * aRow]);
            x2 = r.fma(u, x2);
            y2 = r.fma(v, y2);
            r = FloatVector.broadcast(s, a[at + 3 * aRow]);
            x3 = r.fma(u, x3);
            y3 = r.fma(v, y3);
            r = FloatVector.broadcast(s, a[at + 4 * aRow]);
            x4 = r.fma(u, x4);
            y4 = r.fma(v, y4);
            r = FloatVector.broadcast(s, a[at + 5 * aRow]);
            x5 = r.fma(u, x5);
            y5 = r.fma(v, y5);
            r = FloatVector.broadcast(s, a[at + 6 * aRow]);
            x6 = r.fma(u, x6);
            y6 = r.fma(v, y6);
            r = FloatVector.broadcast(s, a[at + 7 * aRow]);
            x7 = r.fma(u, x7);
            y7 = r.fma(v, y7);
        }
        x0.intoArray(c, c0);
        y0.intoArray(c, c0 + W);
        x1.intoArray(c, c0 + cRow);
        y1.intoArray(c, c0 + cRow + W);
        x2.intoArray(c, c0 + 2 * cRow);
        y2.intoArray(c, c0 + 2 * cRow + W);
        x3.intoArray(c, c0 + 3 * cRow);
        y3.intoArray(c, c0 + 3 * cRow + W);
        x4.intoArray(c, c0 + 4 * cRow);
        y4.intoArray(c, c0 + 4 * cRow + W);
        x5.intoArray(c, c0 + 5 * cRow);
        y5.intoArray(c, c0 + 5 * cRow + W);
        x6.intoArray(c, c0 + 6 * cRow);
        y6.intoArray(c, c0 + 6 * cRow + W);
        x7.intoArray(c, c0 + 7 * cRow);
        y7.intoArray(c, c0 + 7 * cRow + W);
    }
}
