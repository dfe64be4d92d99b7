package otherwise.backend.cpu;

import static otherwise.backend.cpu.GemmKernel.ROWS;
import static otherwise.backend.cpu.VectorMath.LANES;
import static otherwise.backend.cpu.VectorMath.SPECIES;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/// Rows to columns, 8 rows at a time.
final class Turn {
    // Lanes of two vectors dealt out alternately: the first halves of both, and the second halves.
    private static final IntVector FIRST = deal(0);
    private static final IntVector SECOND = deal(LANES / 2);

    /// Columns that are turned at a time.
    private static final int BLOCK = 16;

    /// Half of 8 elements or all, whichever a vector holds.
    private static final VectorSpecies<Float> EIGHT = LANES >= ROWS ? FloatVector.SPECIES_256 : FloatVector.SPECIES_128;

    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private Turn() {}

    private static IntVector deal(int from) {
        var index = new int[LANES];
        for (int i = 0; i < LANES; i++) index[i] = from + i / 2 + i % 2 * LANES;
        return IntVector.fromArray(IntVector.SPECIES_PREFERRED, index, 0);
    }

    /// `to[at + i·width + r]` = x[from + r·stride + i] for r < n ≤ 8, zeros for n ≤ r < room, for all i < k.
    static void turn(float[] to, int at, int width, MemorySegment x, long from, long stride, int n, int k, int room) {
        int done = 0;
        if (n == ROWS && LANES == BLOCK) {
            if (width == ROWS) {
                for (; done + BLOCK <= k; done += BLOCK) blockOf(to, at + done * ROWS, x, from + done, stride);
            } else {
                var eights = Scratch.mine().floats(Scratch.Use.EIGHTS, (long) BLOCK * ROWS);
                for (; done + BLOCK <= k; done += BLOCK) {
                    blockOf(eights, 0, x, from + done, stride);
                    spread(to, at + done * width, width, eights);
                }
            }
            if (done == k) return;
        }
        int left = k - done;
        var rows = Scratch.mine().floats(Scratch.Use.ROWS, (long) ROWS * left);
        for (int r = 0; r < n; r++) Pack.copy(x, from + r * stride + done, rows, r * left, left);
        turn(to, at + done * width, width, rows, 0, left, n, left, room);
    }

    /// `to[at + i·width + r]` = rows[from + r·stride + i] for r < n ≤ 8, zeros for n ≤ r < room, for all i < k.
    static void turn(float[] to, int at, int width, float[] rows, int from, int stride, int n, int k, int room) {
        int done = 0;
        if (n == ROWS && LANES == BLOCK) {
            if (width == ROWS) {
                for (; done + BLOCK <= k; done += BLOCK) block(to, at + done * ROWS, rows, from + done, stride);
            } else {
                var eights = Scratch.mine().floats(Scratch.Use.EIGHTS, (long) BLOCK * ROWS);
                for (; done + BLOCK <= k; done += BLOCK) {
                    block(eights, 0, rows, from + done, stride);
                    spread(to, at + done * width, width, eights);
                }
            }
        }
        for (int i = done; i < k; i++) {
            for (int r = 0; r < n; r++) to[at + i * width + r] = rows[from + r * stride + i];
            for (int r = n; r < room; r++) to[at + i * width + r] = 0f;
        }
    }

    /// Brings 16 columns of 8 to where they belong.
    private static void spread(float[] to, int at, int width, float[] eights) {
        for (int i = 0; i < BLOCK; i++) {
            for (int r = 0; r < ROWS; r += EIGHT.length()) {
                FloatVector.fromArray(EIGHT, eights, i * ROWS + r).intoArray(to, at + i * width + r);
            }
        }
    }

    /// 16 columns of 8. Dealing out rows r and r + 4, then r and r + 2, then r and r + 1, leaves two neighbouring columns in one vector.
    /// In one piece: a vector that is handed to another method may be boxed.
    private static void block(float[] to, int at, float[] rows, int from, int stride) {
        var a = load(rows, from);
        var b = load(rows, from + stride);
        var c = load(rows, from + 2 * stride);
        var d = load(rows, from + 3 * stride);
        var e = load(rows, from + 4 * stride);
        var f = load(rows, from + 5 * stride);
        var g = load(rows, from + 6 * stride);
        var h = load(rows, from + 7 * stride);

        var ae = FIRST.selectFrom(a, e);
        var bf = FIRST.selectFrom(b, f);
        var cg = FIRST.selectFrom(c, g);
        var dh = FIRST.selectFrom(d, h);
        var aceg = FIRST.selectFrom(ae, cg);
        var bdfh = FIRST.selectFrom(bf, dh);
        store(to, at, FIRST.selectFrom(aceg, bdfh));
        store(to, at + BLOCK, SECOND.selectFrom(aceg, bdfh));
        aceg = SECOND.selectFrom(ae, cg);
        bdfh = SECOND.selectFrom(bf, dh);
        store(to, at + 2 * BLOCK, FIRST.selectFrom(aceg, bdfh));
        store(to, at + 3 * BLOCK, SECOND.selectFrom(aceg, bdfh));

        ae = SECOND.selectFrom(a, e);
        bf = SECOND.selectFrom(b, f);
        cg = SECOND.selectFrom(c, g);
        dh = SECOND.selectFrom(d, h);
        aceg = FIRST.selectFrom(ae, cg);
        bdfh = FIRST.selectFrom(bf, dh);
        store(to, at + 4 * BLOCK, FIRST.selectFrom(aceg, bdfh));
        store(to, at + 5 * BLOCK, SECOND.selectFrom(aceg, bdfh));
        aceg = SECOND.selectFrom(ae, cg);
        bdfh = SECOND.selectFrom(bf, dh);
        store(to, at + 6 * BLOCK, FIRST.selectFrom(aceg, bdfh));
        store(to, at + 7 * BLOCK, SECOND.selectFrom(aceg, bdfh));
    }

    /// As [#block], from memory.
    private static void blockOf(float[] to, int at, MemorySegment x, long from, long stride) {
        var a = load(x, from);
        var b = load(x, from + stride);
        var c = load(x, from + 2 * stride);
        var d = load(x, from + 3 * stride);
        var e = load(x, from + 4 * stride);
        var f = load(x, from + 5 * stride);
        var g = load(x, from + 6 * stride);
        var h = load(x, from + 7 * stride);

        var ae = FIRST.selectFrom(a, e);
        var bf = FIRST.selectFrom(b, f);
        var cg = FIRST.selectFrom(c, g);
        var dh = FIRST.selectFrom(d, h);
        var aceg = FIRST.selectFrom(ae, cg);
        var bdfh = FIRST.selectFrom(bf, dh);
        store(to, at, FIRST.selectFrom(aceg, bdfh));
        store(to, at + BLOCK, SECOND.selectFrom(aceg, bdfh));
        aceg = SECOND.selectFrom(ae, cg);
        bdfh = SECOND.selectFrom(bf, dh);
        store(to, at + 2 * BLOCK, FIRST.selectFrom(aceg, bdfh));
        store(to, at + 3 * BLOCK, SECOND.selectFrom(aceg, bdfh));

        ae = SECOND.selectFrom(a, e);
        bf = SECOND.selectFrom(b, f);
        cg = SECOND.selectFrom(c, g);
        dh = SECOND.selectFrom(d, h);
        aceg = FIRST.selectFrom(ae, cg);
        bdfh = FIRST.selectFrom(bf, dh);
        store(to, at + 4 * BLOCK, FIRST.selectFrom(aceg, bdfh));
        store(to, at + 5 * BLOCK, SECOND.selectFrom(aceg, bdfh));
        aceg = SECOND.selectFrom(ae, cg);
        bdfh = SECOND.selectFrom(bf, dh);
        store(to, at + 6 * BLOCK, FIRST.selectFrom(aceg, bdfh));
        store(to, at + 7 * BLOCK, SECOND.selectFrom(aceg, bdfh));
    }

    private static IntVector load(MemorySegment x, long at) {
        return FloatVector.fromMemorySegment(SPECIES, x, at * Float.BYTES, ORDER).reinterpretAsInts();
    }

    private static IntVector load(float[] rows, int at) {
        return FloatVector.fromArray(SPECIES, rows, at).reinterpretAsInts();
    }

    private static void store(float[] to, int at, IntVector v) {
        v.reinterpretAsFloats().intoArray(to, at);
    }
}
