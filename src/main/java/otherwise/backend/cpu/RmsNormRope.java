package otherwise.backend.cpu;

import static otherwise.backend.cpu.Lanes.at;
import static otherwise.backend.cpu.Lanes.put;

import java.lang.foreign.MemorySegment;

/// Root-mean-square normalisation of a row over all its heads, and rotary position embedding of each head, while the row is in the cache.
///
/// The two halves are those of [Norm] and [Spatial], one behind the other: forward a head at a time, backward the whole row, since every
/// channel's gradient depends on all the others'.
final class RmsNormRope {
    private RmsNormRope() {}

    /// Positions of a piece: all samples share the angles of a position.
    private static long grain(long batch, long c) {
        return Math.max(1, Lanes.GRAIN / Math.max(1, batch * c));
    }

    static void forward(
            Parallel parallel,
            MemorySegment y,
            MemorySegment r,
            MemorySegment x,
            MemorySegment w,
            MemorySegment cos,
            MemorySegment sin,
            float eps,
            long batch,
            long length,
            long heads,
            long width) {
        long channels = heads * width;
        parallel.range(length, grain(batch, channels), (from, to) -> {
            var c = new float[Math.toIntExact(width)];
            var s = new float[c.length];
            for (long l = from; l < to; l++) {
                Spatial.spread(c, s, cos, sin, l, false);
                for (long b = 0; b < batch; b++) {
                    long row = b * length + l;
                    float scale = (float) (1 / Math.sqrt(Norm.squares(x, row * channels, channels, 0) / channels + eps));
                    put(r, row, scale);
                    for (long h = 0; h < heads; h++) {
                        long head = row * channels + h * width;
                        Norm.apply(y, x, head, width, 0, scale, w, 0, null, h * width);
                        Spatial.rotate(y, y, head, c, s);
                    }
                }
            }
        });
    }

    static void backward(
            Parallel parallel,
            MemorySegment dx,
            MemorySegment dw,
            MemorySegment dy,
            MemorySegment x,
            MemorySegment r,
            MemorySegment w,
            MemorySegment cos,
            MemorySegment sin,
            long batch,
            long length,
            long heads,
            long width) {
        long channels = heads * width;
        long grain = grain(batch, channels);
        int pieces = Math.toIntExact((length + grain - 1) / grain);
        var dwPart = dw == null ? null : new float[pieces][Math.toIntExact(channels)];
        parallel.tasks(pieces, piece -> {
            var c = new float[Math.toIntExact(width)];
            var s = new float[c.length];
            for (long l = piece * grain; l < Math.min(length, (piece + 1) * grain); l++) {
                Spatial.spread(c, s, cos, sin, l, true);
                for (long b = 0; b < batch; b++) {
                    long row = b * length + l;
                    // Turned back, the gradient lies in dx until that takes its place.
                    for (long h = 0; h < heads; h++) Spatial.rotate(dx, dy, row * channels + h * width, c, s);
                    float scale = at(r, row);
                    if (dw != null) Norm.toWeight(dwPart[(int) piece], dx, x, row * channels, 0, scale);
                    Norm.toInput(dx, dx, x, row * channels, channels, 0, scale, w, 0, 0, false);
                }
            }
        });
        if (dw != null) Reduce.sumParts(parallel, dw, dwPart, Math.toIntExact(channels));
    }
}
