package otherwise.backend.cpu;

import static otherwise.backend.cpu.Lanes.all;
import static otherwise.backend.cpu.Lanes.at;
import static otherwise.backend.cpu.Lanes.load;
import static otherwise.backend.cpu.Lanes.put;
import static otherwise.backend.cpu.Lanes.store;
import static otherwise.backend.cpu.Lanes.whole;
import static otherwise.backend.cpu.Lanes.zero;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// Layer and root-mean-square normalisation of rows.
///
/// Both are y = x̂ · (plus + w) + b with x̂ = (x − mean) · r; the second has neither mean nor b. So they share their loops, with `mean` null.
/// The weights serve groups of `length` rows: w and b are `[groups, C]`, one group with plus = 0 except where the time modulates the norm.
/// A row is short enough for the first-level cache, and several plain passes over it cost one trip to memory.
final class Norm {
    private static final int W = VectorMath.LANES;

    private Norm() {}

    private static long rowsPerPiece(long c) {
        return Math.max(1, Lanes.GRAIN / Math.max(1, c));
    }

    static void layerNorm(
            Parallel parallel,
            MemorySegment y,
            MemorySegment mean,
            MemorySegment rstd,
            MemorySegment x,
            MemorySegment w,
            MemorySegment b,
            float eps,
            long rows,
            long c) {
        layerNorm(parallel, y, mean, rstd, x, w, b, 0, eps, 1, rows, c);
    }

    static void modulatedNorm(
            Parallel parallel,
            MemorySegment y,
            MemorySegment mean,
            MemorySegment rstd,
            MemorySegment x,
            MemorySegment scale,
            MemorySegment shift,
            float eps,
            long batch,
            long length,
            long c) {
        layerNorm(parallel, y, mean, rstd, x, scale, shift, 1, eps, batch, length, c);
    }

    private static void layerNorm(
            Parallel parallel,
            MemorySegment y,
            MemorySegment mean,
            MemorySegment rstd,
            MemorySegment x,
            MemorySegment w,
            MemorySegment b,
            float plus,
            float eps,
            long groups,
            long length,
            long c) {
        parallel.range(groups * length, rowsPerPiece(c), (from, to) -> {
            for (long r = from; r < to; r++) {
                float m = (float) (Reduce.sum(x, r * c, c) / c);
                // Two passes: the difference of the mean square and the squared mean would cancel.
                float s = (float) (1 / Math.sqrt(squares(x, r * c, c, m) / c + eps));
                put(mean, r, m);
                put(rstd, r, s);
                apply(y, x, r * c, c, m, s, w, plus, b, r / length * c);
            }
        });
    }

    static void rmsNorm(
            Parallel parallel, MemorySegment y, MemorySegment rms, MemorySegment x, MemorySegment w, float eps, long rows, long c) {
        parallel.range(rows, rowsPerPiece(c), (from, to) -> {
            for (long r = from; r < to; r++) {
                float s = (float) (1 / Math.sqrt(squares(x, r * c, c, 0) / c + eps));
                put(rms, r, s);
                apply(y, x, r * c, c, 0, s, w, 0, null, 0);
            }
        });
    }

    /// Σ (x − mean)² over one row
    static double squares(MemorySegment x, long from, long c, float mean) {
        var s0 = zero();
        var s1 = zero();
        long end = whole(c);
        long i = 0;
        for (; i + 2L * W <= end; i += 2L * W) {
            var v0 = load(x, from + i).sub(mean);
            var v1 = load(x, from + i + W).sub(mean);
            s0 = v0.fma(v0, s0);
            s1 = v1.fma(v1, s1);
        }
        for (; i < end; i += W) {
            var v = load(x, from + i).sub(mean);
            s0 = v.fma(v, s0);
        }
        double sum = VectorMath.sum(s0.add(s1));
        for (; i < c; i++) {
            double v = at(x, from + i) - mean;
            sum += v * v;
        }
        return sum;
    }

    /// y = (x − mean) · r · (plus + w) + b for one row; w and b, from their element `first` on, may be null.
    static void apply(
            MemorySegment y, MemorySegment x, long from, long c, float mean, float r, MemorySegment w, float plus, MemorySegment b,
            long first) {
        long end = whole(c);
        if (w == null && b == null) for (long i = 0; i < end; i += W) store(load(x, from + i).sub(mean).mul(r), y, from + i);
        else
            if (b == null)
                for (long i = 0; i < end; i += W) store(load(x, from + i).sub(mean).mul(r).mul(load(w, first + i).add(plus)), y, from + i);
            else
                if (w == null)
                    for (long i = 0; i < end; i += W) store(load(x, from + i).sub(mean).mul(r).add(load(b, first + i)), y, from + i);
                else
                    for (long i = 0; i < end; i += W)
                        store(load(x, from + i).sub(mean).mul(r).fma(load(w, first + i).add(plus), load(b, first + i)), y, from + i);
        for (long i = end; i < c; i++) {
            float v = (at(x, from + i) - mean) * r * (w == null ? 1 : plus + at(w, first + i));
            put(y, from + i, b == null ? v : v + at(b, first + i));
        }
    }

    static void layerNormBackward(
            Parallel parallel,
            MemorySegment dx,
            MemorySegment dw,
            MemorySegment db,
            MemorySegment dy,
            MemorySegment x,
            MemorySegment mean,
            MemorySegment rstd,
            MemorySegment w,
            long rows,
            long c) {
        backward(parallel, dx, dw, db, dy, x, mean, rstd, w, 0, 1, rows, c);
    }

    static void modulatedNormBackward(
            Parallel parallel,
            MemorySegment dx,
            MemorySegment dscale,
            MemorySegment dshift,
            MemorySegment dy,
            MemorySegment x,
            MemorySegment mean,
            MemorySegment rstd,
            MemorySegment scale,
            long batch,
            long length,
            long c) {
        backward(parallel, dx, dscale, dshift, dy, x, mean, rstd, scale, 1, batch, length, c);
    }

    static void rmsNormBackward(
            Parallel parallel,
            MemorySegment dx,
            MemorySegment dw,
            MemorySegment dy,
            MemorySegment x,
            MemorySegment rms,
            MemorySegment w,
            long rows,
            long c) {
        backward(parallel, dx, dw, null, dy, x, null, rms, w, 0, 1, rows, c);
    }

    private static void backward(
            Parallel parallel,
            MemorySegment dx,
            MemorySegment dw,
            MemorySegment db,
            MemorySegment dy,
            MemorySegment x,
            MemorySegment mean,
            MemorySegment scale,
            MemorySegment w,
            float plus,
            long groups,
            long length,
            long c) {
        int width = Math.toIntExact(c);
        long grain = rowsPerPiece(c);
        int pieces = Math.toIntExact((length + grain - 1) / grain); // of each group
        var dwPart = dw == null ? null : new float[Math.toIntExact(groups)][pieces][width];
        var dbPart = db == null ? null : new float[Math.toIntExact(groups)][pieces][width];
        parallel.tasks(groups * pieces, task -> {
            int group = (int) (task / pieces);
            int piece = (int) (task % pieces);
            long end = Math.min(length, (piece + 1) * grain) + group * length;
            for (long r = piece * grain + group * length; r < end; r++) {
                float m = mean == null ? 0 : at(mean, r);
                float s = at(scale, r);
                if (dx != null) toInput(dx, dy, x, r * c, c, m, s, w, plus, group * c, mean != null);
                if (dw != null) toWeight(dwPart[group][piece], dy, x, r * c, m, s);
                if (db != null) toBias(dbPart[group][piece], dy, r * c);
            }
        });
        for (int group = 0; group < groups; group++) {
            if (dw != null) Reduce.sumParts(parallel, row(dw, group, c), dwPart[group], width);
            if (db != null) Reduce.sumParts(parallel, row(db, group, c), dbPart[group], width);
        }
    }

    private static MemorySegment row(MemorySegment x, long row, long c) {
        return x.asSlice(row * c * Float.BYTES, c * Float.BYTES);
    }

    /// With g = dy·(plus + w), w from its element `first` on:   dx = r · (g − mean(g) − x̂ · mean(g·x̂)), without mean(g) if no mean was taken.
    /// dx may be dy.
    static void toInput(
            MemorySegment dx, MemorySegment dy, MemorySegment x, long from, long c, float mean, float r, MemorySegment w, float plus,
            long first, boolean centred) {
        var sumG = zero();
        var sumGx = zero();
        long end = whole(c);
        for (long i = 0; i < end; i += W) {
            var g = w == null ? load(dy, from + i) : load(dy, from + i).mul(load(w, first + i).add(plus));
            sumG = sumG.add(g);
            sumGx = load(x, from + i).sub(mean).fma(g, sumGx);
        }
        double restG = 0;
        double restGx = 0;
        for (long i = end; i < c; i++) {
            float g = w == null ? at(dy, from + i) : at(dy, from + i) * (plus + at(w, first + i));
            restG += g;
            restGx += (double) g * (at(x, from + i) - mean);
        }
        float meanG = centred ? (float) ((VectorMath.sum(sumG) + restG) / c) : 0;
        float slope = (float) ((VectorMath.sum(sumGx) + restGx) / c) * r * r;
        var minusSlope = all(-slope);
        for (long i = 0; i < end; i += W) {
            var g = w == null ? load(dy, from + i) : load(dy, from + i).mul(load(w, first + i).add(plus));
            store(load(x, from + i).sub(mean).fma(minusSlope, g.sub(meanG)).mul(r), dx, from + i);
        }
        for (long i = end; i < c; i++) {
            float g = w == null ? at(dy, from + i) : at(dy, from + i) * (plus + at(w, first + i));
            put(dx, from + i, (g - meanG - (at(x, from + i) - mean) * slope) * r);
        }
    }

    /// part += dy · x̂ for one row
    static void toWeight(float[] part, MemorySegment dy, MemorySegment x, long from, float mean, float r) {
        int end = (int) whole(part.length);
        for (int i = 0; i < end; i += W) {
            var xhat = load(x, from + i).sub(mean).mul(r);
            load(dy, from + i).fma(xhat, FloatVector.fromArray(VectorMath.SPECIES, part, i)).intoArray(part, i);
        }
        for (int i = end; i < part.length; i++) part[i] += at(dy, from + i) * ((at(x, from + i) - mean) * r);
    }

    private static void toBias(float[] part, MemorySegment dy, long from) {
        int end = (int) whole(part.length);
        for (int i = 0; i < end; i += W) FloatVector.fromArray(VectorMath.SPECIES, part, i).add(load(dy, from + i)).intoArray(part, i);
        for (int i = end; i < part.length; i++) part[i] += at(dy, from + i);
    }
}
