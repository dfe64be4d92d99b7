package otherwise.backend.cpu;

import static otherwise.backend.cpu.VectorMath.LANES;
import static otherwise.backend.cpu.VectorMath.SPECIES;

import jdk.incubator.vector.FloatVector;

/// The innermost loops of every product: a small tile of c, kept in registers while k runs.
///
///     c[r, j] (+)= Σ over i < k of a[a0 + i·8 + r] · b[b0 + offsets[i] + j]        r < 8, j < 3 vectors
///
/// a is a *panel*: 8 rows, interleaved. b is reached through a table of row offsets: a packed panel of a matrix has rows one
/// after the other, while a convolution lists where in its padded input each tap begins, and needs no copy of the input per tap.
/// The table costs one load in 11 and no time. Written out by hand, since a tile must live in local variables to live in registers.
///
/// All memory is `float[]`: the JIT compiler turns access to arrays into the shortest code, and gives up on loops this long over
/// `MemorySegment`.
final class GemmKernel {
    /// Rows of a panel of a.
    static final int ROWS = 8;

    /// Columns of a full panel of b.
    static final int COLUMNS = 3 * LANES;

    /// 512-bit vectors come with 32 registers, and so does every ARM processor; 256-bit and 128-bit x86 has 16.
    private static final boolean MANY_REGISTERS =
            SPECIES.vectorBitSize() >= 512 || System.getProperty("os.arch", "").equals("aarch64");

    private GemmKernel() {}

    /// One tile: up to 8 rows (those beyond `rows` are computed from whatever the panel holds, and stored: c has room for 8), and
    /// `columns` rounded up to whole vectors, at most [#COLUMNS].
    ///
    /// @param o where in `offsets` the table begins
    /// @param stride from one row of c to the next
    static void tile(
            int rows,
            int columns,
            int k,
            float[] a,
            int a0,
            float[] b,
            int b0,
            int[] offsets,
            int o,
            float[] c,
            int c0,
            int stride,
            boolean add) {
        if (columns > 2 * LANES) {
            if (rows > 4 && MANY_REGISTERS) {
                rows8columns3(k, a, a0, b, b0, offsets, o, c, c0, stride, add);
            } else {
                rows4columns3(k, a, a0, b, b0, offsets, o, c, c0, stride, add);
                if (rows > 4) rows4columns3(k, a, a0 + 4, b, b0, offsets, o, c, c0 + 4 * stride, stride, add);
            }
        } else if (columns > LANES) {
            rows8columns2(k, a, a0, b, b0, offsets, o, c, c0, stride, add);
        } else {
            rows8columns1(k, a, a0, b, b0, offsets, o, c, c0, stride, add);
        }
    }

    /// 24 sums, 3 vectors of b and one element of a: what 32 registers hold.
    private static void rows8columns3(
            int k, float[] a, int a0, float[] b, int b0, int[] offsets, int o, float[] c, int c0, int stride, boolean add) {
        FloatVector c00, c01, c02;
        FloatVector c10, c11, c12;
        FloatVector c20, c21, c22;
        FloatVector c30, c31, c32;
        FloatVector c40, c41, c42;
        FloatVector c50, c51, c52;
        FloatVector c60, c61, c62;
        FloatVector c70, c71, c72;
        c00 = c01 = c02 = FloatVector.zero(SPECIES);
        c10 = c11 = c12 = FloatVector.zero(SPECIES);
        c20 = c21 = c22 = FloatVector.zero(SPECIES);
        c30 = c31 = c32 = FloatVector.zero(SPECIES);
        c40 = c41 = c42 = FloatVector.zero(SPECIES);
        c50 = c51 = c52 = FloatVector.zero(SPECIES);
        c60 = c61 = c62 = FloatVector.zero(SPECIES);
        c70 = c71 = c72 = FloatVector.zero(SPECIES);
        for (int i = 0; i < k; i++) {
            int row = b0 + offsets[o + i];
            int at = a0 + i * ROWS;
            var v0 = FloatVector.fromArray(SPECIES, b, row);
            var v1 = FloatVector.fromArray(SPECIES, b, row + LANES);
            var v2 = FloatVector.fromArray(SPECIES, b, row + 2 * LANES);
            var x = FloatVector.broadcast(SPECIES, a[at]);
            c00 = x.fma(v0, c00);
            c01 = x.fma(v1, c01);
            c02 = x.fma(v2, c02);
            x = FloatVector.broadcast(SPECIES, a[at + 1]);
            c10 = x.fma(v0, c10);
            c11 = x.fma(v1, c11);
            c12 = x.fma(v2, c12);
            x = FloatVector.broadcast(SPECIES, a[at + 2]);
            c20 = x.fma(v0, c20);
            c21 = x.fma(v1, c21);
            c22 = x.fma(v2, c22);
            x = FloatVector.broadcast(SPECIES, a[at + 3]);
            c30 = x.fma(v0, c30);
            c31 = x.fma(v1, c31);
            c32 = x.fma(v2, c32);
            x = FloatVector.broadcast(SPECIES, a[at + 4]);
            c40 = x.fma(v0, c40);
            c41 = x.fma(v1, c41);
            c42 = x.fma(v2, c42);
            x = FloatVector.broadcast(SPECIES, a[at + 5]);
            c50 = x.fma(v0, c50);
            c51 = x.fma(v1, c51);
            c52 = x.fma(v2, c52);
            x = FloatVector.broadcast(SPECIES, a[at + 6]);
            c60 = x.fma(v0, c60);
            c61 = x.fma(v1, c61);
            c62 = x.fma(v2, c62);
            x = FloatVector.broadcast(SPECIES, a[at + 7]);
            c70 = x.fma(v0, c70);
            c71 = x.fma(v1, c71);
            c72 = x.fma(v2, c72);
        }
        if (add) {
            c00 = c00.add(FloatVector.fromArray(SPECIES, c, c0));
            c01 = c01.add(FloatVector.fromArray(SPECIES, c, c0 + LANES));
            c02 = c02.add(FloatVector.fromArray(SPECIES, c, c0 + 2 * LANES));
            c10 = c10.add(FloatVector.fromArray(SPECIES, c, c0 + stride));
            c11 = c11.add(FloatVector.fromArray(SPECIES, c, c0 + stride + LANES));
            c12 = c12.add(FloatVector.fromArray(SPECIES, c, c0 + stride + 2 * LANES));
            c20 = c20.add(FloatVector.fromArray(SPECIES, c, c0 + 2 * stride));
            c21 = c21.add(FloatVector.fromArray(SPECIES, c, c0 + 2 * stride + LANES));
            c22 = c22.add(FloatVector.fromArray(SPECIES, c, c0 + 2 * stride + 2 * LANES));
            c30 = c30.add(FloatVector.fromArray(SPECIES, c, c0 + 3 * stride));
            c31 = c31.add(FloatVector.fromArray(SPECIES, c, c0 + 3 * stride + LANES));
            c32 = c32.add(FloatVector.fromArray(SPECIES, c, c0 + 3 * stride + 2 * LANES));
            c40 = c40.add(FloatVector.fromArray(SPECIES, c, c0 + 4 * stride));
            c41 = c41.add(FloatVector.fromArray(SPECIES, c, c0 + 4 * stride + LANES));
            c42 = c42.add(FloatVector.fromArray(SPECIES, c, c0 + 4 * stride + 2 * LANES));
            c50 = c50.add(FloatVector.fromArray(SPECIES, c, c0 + 5 * stride));
            c51 = c51.add(FloatVector.fromArray(SPECIES, c, c0 + 5 * stride + LANES));
            c52 = c52.add(FloatVector.fromArray(SPECIES, c, c0 + 5 * stride + 2 * LANES));
            c60 = c60.add(FloatVector.fromArray(SPECIES, c, c0 + 6 * stride));
            c61 = c61.add(FloatVector.fromArray(SPECIES, c, c0 + 6 * stride + LANES));
            c62 = c62.add(FloatVector.fromArray(SPECIES, c, c0 + 6 * stride + 2 * LANES));
            c70 = c70.add(FloatVector.fromArray(SPECIES, c, c0 + 7 * stride));
            c71 = c71.add(FloatVector.fromArray(SPECIES, c, c0 + 7 * stride + LANES));
            c72 = c72.add(FloatVector.fromArray(SPECIES, c, c0 + 7 * stride + 2 * LANES));
        }
        c00.intoArray(c, c0);
        c01.intoArray(c, c0 + LANES);
        c02.intoArray(c, c0 + 2 * LANES);
        c10.intoArray(c, c0 + stride);
        c11.intoArray(c, c0 + stride + LANES);
        c12.intoArray(c, c0 + stride + 2 * LANES);
        c20.intoArray(c, c0 + 2 * stride);
        c21.intoArray(c, c0 + 2 * stride + LANES);
        c22.intoArray(c, c0 + 2 * stride + 2 * LANES);
        c30.intoArray(c, c0 + 3 * stride);
        c31.intoArray(c, c0 + 3 * stride + LANES);
        c32.intoArray(c, c0 + 3 * stride + 2 * LANES);
        c40.intoArray(c, c0 + 4 * stride);
        c41.intoArray(c, c0 + 4 * stride + LANES);
        c42.intoArray(c, c0 + 4 * stride + 2 * LANES);
        c50.intoArray(c, c0 + 5 * stride);
        c51.intoArray(c, c0 + 5 * stride + LANES);
        c52.intoArray(c, c0 + 5 * stride + 2 * LANES);
        c60.intoArray(c, c0 + 6 * stride);
        c61.intoArray(c, c0 + 6 * stride + LANES);
        c62.intoArray(c, c0 + 6 * stride + 2 * LANES);
        c70.intoArray(c, c0 + 7 * stride);
        c71.intoArray(c, c0 + 7 * stride + LANES);
        c72.intoArray(c, c0 + 7 * stride + 2 * LANES);
    }

    private static void rows8columns2(
            int k, float[] a, int a0, float[] b, int b0, int[] offsets, int o, float[] c, int c0, int stride, boolean add) {
        FloatVector c00, c01;
        FloatVector c10, c11;
        FloatVector c20, c21;
        FloatVector c30, c31;
        FloatVector c40, c41;
        FloatVector c50, c51;
        FloatVector c60, c61;
        FloatVector c70, c71;
        c00 = c01 = FloatVector.zero(SPECIES);
        c10 = c11 = FloatVector.zero(SPECIES);
        c20 = c21 = FloatVector.zero(SPECIES);
        c30 = c31 = FloatVector.zero(SPECIES);
        c40 = c41 = FloatVector.zero(SPECIES);
        c50 = c51 = FloatVector.zero(SPECIES);
        c60 = c61 = FloatVector.zero(SPECIES);
        c70 = c71 = FloatVector.zero(SPECIES);
        for (int i = 0; i < k; i++) {
            int row = b0 + offsets[o + i];
            int at = a0 + i * ROWS;
            var v0 = FloatVector.fromArray(SPECIES, b, row);
            var v1 = FloatVector.fromArray(SPECIES, b, row + LANES);
            var x = FloatVector.broadcast(SPECIES, a[at]);
            c00 = x.fma(v0, c00);
            c01 = x.fma(v1, c01);
            x = FloatVector.broadcast(SPECIES, a[at + 1]);
            c10 = x.fma(v0, c10);
            c11 = x.fma(v1, c11);
            x = FloatVector.broadcast(SPECIES, a[at + 2]);
            c20 = x.fma(v0, c20);
            c21 = x.fma(v1, c21);
            x = FloatVector.broadcast(SPECIES, a[at + 3]);
            c30 = x.fma(v0, c30);
            c31 = x.fma(v1, c31);
            x = FloatVector.broadcast(SPECIES, a[at + 4]);
            c40 = x.fma(v0, c40);
            c41 = x.fma(v1, c41);
            x = FloatVector.broadcast(SPECIES, a[at + 5]);
            c50 = x.fma(v0, c50);
            c51 = x.fma(v1, c51);
            x = FloatVector.broadcast(SPECIES, a[at + 6]);
            c60 = x.fma(v0, c60);
            c61 = x.fma(v1, c61);
            x = FloatVector.broadcast(SPECIES, a[at + 7]);
            c70 = x.fma(v0, c70);
            c71 = x.fma(v1, c71);
        }
        if (add) {
            c00 = c00.add(FloatVector.fromArray(SPECIES, c, c0));
            c01 = c01.add(FloatVector.fromArray(SPECIES, c, c0 + LANES));
            c10 = c10.add(FloatVector.fromArray(SPECIES, c, c0 + stride));
            c11 = c11.add(FloatVector.fromArray(SPECIES, c, c0 + stride + LANES));
            c20 = c20.add(FloatVector.fromArray(SPECIES, c, c0 + 2 * stride));
            c21 = c21.add(FloatVector.fromArray(SPECIES, c, c0 + 2 * stride + LANES));
            c30 = c30.add(FloatVector.fromArray(SPECIES, c, c0 + 3 * stride));
            c31 = c31.add(FloatVector.fromArray(SPECIES, c, c0 + 3 * stride + LANES));
            c40 = c40.add(FloatVector.fromArray(SPECIES, c, c0 + 4 * stride));
            c41 = c41.add(FloatVector.fromArray(SPECIES, c, c0 + 4 * stride + LANES));
            c50 = c50.add(FloatVector.fromArray(SPECIES, c, c0 + 5 * stride));
            c51 = c51.add(FloatVector.fromArray(SPECIES, c, c0 + 5 * stride + LANES));
            c60 = c60.add(FloatVector.fromArray(SPECIES, c, c0 + 6 * stride));
            c61 = c61.add(FloatVector.fromArray(SPECIES, c, c0 + 6 * stride + LANES));
            c70 = c70.add(FloatVector.fromArray(SPECIES, c, c0 + 7 * stride));
            c71 = c71.add(FloatVector.fromArray(SPECIES, c, c0 + 7 * stride + LANES));
        }
        c00.intoArray(c, c0);
        c01.intoArray(c, c0 + LANES);
        c10.intoArray(c, c0 + stride);
        c11.intoArray(c, c0 + stride + LANES);
        c20.intoArray(c, c0 + 2 * stride);
        c21.intoArray(c, c0 + 2 * stride + LANES);
        c30.intoArray(c, c0 + 3 * stride);
        c31.intoArray(c, c0 + 3 * stride + LANES);
        c40.intoArray(c, c0 + 4 * stride);
        c41.intoArray(c, c0 + 4 * stride + LANES);
        c50.intoArray(c, c0 + 5 * stride);
        c51.intoArray(c, c0 + 5 * stride + LANES);
        c60.intoArray(c, c0 + 6 * stride);
        c61.intoArray(c, c0 + 6 * stride + LANES);
        c70.intoArray(c, c0 + 7 * stride);
        c71.intoArray(c, c0 + 7 * stride + LANES);
    }

    private static void rows8columns1(
            int k, float[] a, int a0, float[] b, int b0, int[] offsets, int o, float[] c, int c0, int stride, boolean add) {
        FloatVector c00, c10, c20, c30, c40, c50, c60, c70;
        c00 = FloatVector.zero(SPECIES);
        c10 = FloatVector.zero(SPECIES);
        c20 = FloatVector.zero(SPECIES);
        c30 = FloatVector.zero(SPECIES);
        c40 = FloatVector.zero(SPECIES);
        c50 = FloatVector.zero(SPECIES);
        c60 = FloatVector.zero(SPECIES);
        c70 = FloatVector.zero(SPECIES);
        for (int i = 0; i < k; i++) {
            int row = b0 + offsets[o + i];
            int at = a0 + i * ROWS;
            var v0 = FloatVector.fromArray(SPECIES, b, row);
            var x = FloatVector.broadcast(SPECIES, a[at]);
            c00 = x.fma(v0, c00);
            x = FloatVector.broadcast(SPECIES, a[at + 1]);
            c10 = x.fma(v0, c10);
            x = FloatVector.broadcast(SPECIES, a[at + 2]);
            c20 = x.fma(v0, c20);
            x = FloatVector.broadcast(SPECIES, a[at + 3]);
            c30 = x.fma(v0, c30);
            x = FloatVector.broadcast(SPECIES, a[at + 4]);
            c40 = x.fma(v0, c40);
            x = FloatVector.broadcast(SPECIES, a[at + 5]);
            c50 = x.fma(v0, c50);
            x = FloatVector.broadcast(SPECIES, a[at + 6]);
            c60 = x.fma(v0, c60);
            x = FloatVector.broadcast(SPECIES, a[at + 7]);
            c70 = x.fma(v0, c70);
        }
        if (add) {
            c00 = c00.add(FloatVector.fromArray(SPECIES, c, c0));
            c10 = c10.add(FloatVector.fromArray(SPECIES, c, c0 + stride));
            c20 = c20.add(FloatVector.fromArray(SPECIES, c, c0 + 2 * stride));
            c30 = c30.add(FloatVector.fromArray(SPECIES, c, c0 + 3 * stride));
            c40 = c40.add(FloatVector.fromArray(SPECIES, c, c0 + 4 * stride));
            c50 = c50.add(FloatVector.fromArray(SPECIES, c, c0 + 5 * stride));
            c60 = c60.add(FloatVector.fromArray(SPECIES, c, c0 + 6 * stride));
            c70 = c70.add(FloatVector.fromArray(SPECIES, c, c0 + 7 * stride));
        }
        c00.intoArray(c, c0);
        c10.intoArray(c, c0 + stride);
        c20.intoArray(c, c0 + 2 * stride);
        c30.intoArray(c, c0 + 3 * stride);
        c40.intoArray(c, c0 + 4 * stride);
        c50.intoArray(c, c0 + 5 * stride);
        c60.intoArray(c, c0 + 6 * stride);
        c70.intoArray(c, c0 + 7 * stride);
    }

    /// The upper half of a panel's rows: for the last few rows, and where there are only 16 registers.
    private static void rows4columns3(
            int k, float[] a, int a0, float[] b, int b0, int[] offsets, int o, float[] c, int c0, int stride, boolean add) {
        FloatVector c00, c01, c02;
        FloatVector c10, c11, c12;
        FloatVector c20, c21, c22;
        FloatVector c30, c31, c32;
        c00 = c01 = c02 = FloatVector.zero(SPECIES);
        c10 = c11 = c12 = FloatVector.zero(SPECIES);
        c20 = c21 = c22 = FloatVector.zero(SPECIES);
        c30 = c31 = c32 = FloatVector.zero(SPECIES);
        for (int i = 0; i < k; i++) {
            int row = b0 + offsets[o + i];
            int at = a0 + i * ROWS;
            var v0 = FloatVector.fromArray(SPECIES, b, row);
            var v1 = FloatVector.fromArray(SPECIES, b, row + LANES);
            var v2 = FloatVector.fromArray(SPECIES, b, row + 2 * LANES);
            var x = FloatVector.broadcast(SPECIES, a[at]);
            c00 = x.fma(v0, c00);
            c01 = x.fma(v1, c01);
            c02 = x.fma(v2, c02);
            x = FloatVector.broadcast(SPECIES, a[at + 1]);
            c10 = x.fma(v0, c10);
            c11 = x.fma(v1, c11);
            c12 = x.fma(v2, c12);
            x = FloatVector.broadcast(SPECIES, a[at + 2]);
            c20 = x.fma(v0, c20);
            c21 = x.fma(v1, c21);
            c22 = x.fma(v2, c22);
            x = FloatVector.broadcast(SPECIES, a[at + 3]);
            c30 = x.fma(v0, c30);
            c31 = x.fma(v1, c31);
            c32 = x.fma(v2, c32);
        }
        if (add) {
            c00 = c00.add(FloatVector.fromArray(SPECIES, c, c0));
            c01 = c01.add(FloatVector.fromArray(SPECIES, c, c0 + LANES));
            c02 = c02.add(FloatVector.fromArray(SPECIES, c, c0 + 2 * LANES));
            c10 = c10.add(FloatVector.fromArray(SPECIES, c, c0 + stride));
            c11 = c11.add(FloatVector.fromArray(SPECIES, c, c0 + stride + LANES));
            c12 = c12.add(FloatVector.fromArray(SPECIES, c, c0 + stride + 2 * LANES));
            c20 = c20.add(FloatVector.fromArray(SPECIES, c, c0 + 2 * stride));
            c21 = c21.add(FloatVector.fromArray(SPECIES, c, c0 + 2 * stride + LANES));
            c22 = c22.add(FloatVector.fromArray(SPECIES, c, c0 + 2 * stride + 2 * LANES));
            c30 = c30.add(FloatVector.fromArray(SPECIES, c, c0 + 3 * stride));
            c31 = c31.add(FloatVector.fromArray(SPECIES, c, c0 + 3 * stride + LANES));
            c32 = c32.add(FloatVector.fromArray(SPECIES, c, c0 + 3 * stride + 2 * LANES));
        }
        c00.intoArray(c, c0);
        c01.intoArray(c, c0 + LANES);
        c02.intoArray(c, c0 + 2 * LANES);
        c10.intoArray(c, c0 + stride);
        c11.intoArray(c, c0 + stride + LANES);
        c12.intoArray(c, c0 + stride + 2 * LANES);
        c20.intoArray(c, c0 + 2 * stride);
        c21.intoArray(c, c0 + 2 * stride + LANES);
        c22.intoArray(c, c0 + 2 * stride + 2 * LANES);
        c30.intoArray(c, c0 + 3 * stride);
        c31.intoArray(c, c0 + 3 * stride + LANES);
        c32.intoArray(c, c0 + 3 * stride + 2 * LANES);
    }
}
