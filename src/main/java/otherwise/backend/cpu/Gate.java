package otherwise.backend.cpu;

import static otherwise.backend.cpu.Lanes.at;
import static otherwise.backend.cpu.Lanes.load;
import static otherwise.backend.cpu.Lanes.put;
import static otherwise.backend.cpu.Lanes.store;
import static otherwise.backend.cpu.Lanes.whole;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// y = x + gate · h, with a gate for each channel of each sample: `[batch, C]` beside `[batch, length, C]`.
final class Gate {
    private static final int W = VectorMath.LANES;

    private Gate() {}

    private static long rowsPerPiece(long c) {
        return Math.max(1, Lanes.GRAIN / Math.max(1, c));
    }

    static void add(
            Parallel parallel, MemorySegment y, MemorySegment x, MemorySegment gate, MemorySegment h, long batch, long length, long c) {
        parallel.range(batch * length, rowsPerPiece(c), (from, to) -> {
            for (long r = from; r < to; r++) addRow(y, x, gate, r / length * c, h, r * c, c);
        });
    }

    private static void addRow(MemorySegment y, MemorySegment x, MemorySegment gate, long first, MemorySegment h, long from, long c) {
        long end = whole(c);
        for (long i = 0; i < end; i += W) store(load(gate, first + i).fma(load(h, from + i), load(x, from + i)), y, from + i);
        for (long i = end; i < c; i++) put(y, from + i, Math.fma(at(gate, first + i), at(h, from + i), at(x, from + i)));
    }

    /// dh = dy · gate;  dgate = Σ over the rows of a sample of dy · h: each piece of them by itself, then the pieces in order.
    static void backward(
            Parallel parallel,
            MemorySegment dh,
            MemorySegment dgate,
            MemorySegment dy,
            MemorySegment gate,
            MemorySegment h,
            long batch,
            long length,
            long c) {
        int width = Math.toIntExact(c);
        long grain = rowsPerPiece(c);
        int pieces = Math.toIntExact((length + grain - 1) / grain); // of each sample
        var part = dgate == null ? null : new float[Math.toIntExact(batch)][pieces][width];
        parallel.tasks(batch * pieces, task -> {
            int sample = (int) (task / pieces);
            int piece = (int) (task % pieces);
            long end = Math.min(length, (piece + 1) * grain) + sample * length;
            for (long r = piece * grain + sample * length; r < end; r++) {
                if (dh != null) toBranch(dh, dy, gate, sample * c, r * c, c);
                if (dgate != null) toGate(part[sample][piece], dy, h, r * c);
            }
        });
        if (dgate == null) return;
        for (int sample = 0; sample < batch; sample++)
            Reduce.sumParts(parallel, dgate.asSlice(sample * c * Float.BYTES, c * Float.BYTES), part[sample], width);
    }

    private static void toBranch(MemorySegment dh, MemorySegment dy, MemorySegment gate, long first, long from, long c) {
        long end = whole(c);
        for (long i = 0; i < end; i += W) store(load(dy, from + i).mul(load(gate, first + i)), dh, from + i);
        for (long i = end; i < c; i++) put(dh, from + i, at(dy, from + i) * at(gate, first + i));
    }

    /// part += dy · h for one row
    private static void toGate(float[] part, MemorySegment dy, MemorySegment h, long from) {
        int end = (int) whole(part.length);
        for (int i = 0; i < end; i += W) {
            var sum = FloatVector.fromArray(VectorMath.SPECIES, part, i);
            load(dy, from + i).fma(load(h, from + i), sum).intoArray(part, i);
        }
        for (int i = end; i < part.length; i++) part[i] += at(dy, from + i) * at(h, from + i);
    }
}
