package otherwise.backend.cpu;

import static otherwise.backend.cpu.Lanes.all;
import static otherwise.backend.cpu.Lanes.at;
import static otherwise.backend.cpu.Lanes.first;
import static otherwise.backend.cpu.Lanes.load;
import static otherwise.backend.cpu.Lanes.put;
import static otherwise.backend.cpu.Lanes.store;
import static otherwise.backend.cpu.Lanes.whole;
import static otherwise.backend.cpu.Lanes.zero;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// The Wan VAE's normalisation over channels, where channels are slower than pixels.
///
///     y = x · r · γ        r = √C / max(‖x‖₂, 1e-12)        or silu(x · r · γ)
///
/// A task takes a strip of pixels through all channels: the strip stays in the second-level cache between the two passes over it.
final class ChannelNorm {
    private static final int W = VectorMath.LANES;

    /// Pixels of a strip.
    private static final int STRIP = 128;

    private static final float SMALLEST = 1e-12f;

    /// Room for one channel of a strip, a thread.
    private static final ThreadLocal<MemorySegment> LINE = ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(4L * STRIP, 64));

    private ChannelNorm() {}

    /// A strip: `width` pixels from element `start` of x (in channel 0) and element `pixel` of r.
    @FunctionalInterface
    private interface Strip {
        void run(int piece, long start, long pixel, int width);
    }

    private static int stripsPerPiece(long c) {
        return (int) Math.max(1, Lanes.GRAIN / (STRIP * Math.max(1, c)));
    }

    private static long strips(long outer, long inner) {
        return outer * ((inner + STRIP - 1) / STRIP);
    }

    private static void forEachStrip(Parallel parallel, long outer, long c, long inner, Strip body) {
        long across = (inner + STRIP - 1) / STRIP;
        int grain = stripsPerPiece(c);
        parallel.range(strips(outer, inner), grain, (from, to) -> {
            for (long s = from; s < to; s++) {
                long o = s / across;
                long i = s % across * STRIP;
                body.run((int) (from / grain), o * c * inner + i, o * inner + i, (int) Math.min(STRIP, inner - i));
            }
        });
    }

    static void forward(
            Parallel parallel, MemorySegment y, MemorySegment r, MemorySegment x, MemorySegment gamma, boolean silu, long outer, long c,
            long inner) {
        float root = (float) Math.sqrt(c);
        forEachStrip(parallel, outer, c, inner, (piece, start, pixel, width) -> {
            var square = new float[STRIP];
            for (long k = 0; k < c; k++) addSquares(square, x, start + k * inner, width);
            for (int j = 0; j < width; j++) {
                square[j] = root / Math.max((float) Math.sqrt(square[j]), SMALLEST);
                put(r, pixel + j, square[j]);
            }
            for (long k = 0; k < c; k++) {
                if (silu) scaleAndSilu(y, x, start + k * inner, square, at(gamma, k), width);
                else scale(y, x, start + k * inner, square, at(gamma, k), width);
            }
        });
    }

    private static void addSquares(float[] sum, MemorySegment x, long from, int width) {
        int end = (int) whole(width);
        for (int j = 0; j < end; j += W) {
            var v = load(x, from + j);
            v.fma(v, vector(sum, j)).intoArray(sum, j);
        }
        for (int j = end; j < width; j++) sum[j] += at(x, from + j) * at(x, from + j);
    }

    private static void scale(MemorySegment y, MemorySegment x, long from, float[] r, float gamma, int width) {
        int end = (int) whole(width);
        for (int j = 0; j < end; j += W) store(load(x, from + j).mul(vector(r, j)).mul(gamma), y, from + j);
        for (int j = end; j < width; j++) put(y, from + j, at(x, from + j) * r[j] * gamma);
    }

    private static void scaleAndSilu(MemorySegment y, MemorySegment x, long from, float[] r, float gamma, int width) {
        int end = (int) whole(width);
        for (int j = 0; j < end; j += W) store(Activation.silu(load(x, from + j).mul(vector(r, j)).mul(gamma)), y, from + j);
        if (end == width) return;
        var in = first(width - end);
        store(Activation.silu(load(x, from + end, in).mul(vector(r, end)).mul(gamma)), y, from + end, in);
    }

    /// With s = Σ over channels of γ·dy·x:   dx = r · (γ·dy − x · s/‖x‖²), where 1/‖x‖² = r²/C;   dγ = Σ over pixels of dy·x·r.
    /// Behind SiLU, dy · silu′(x·r·γ) stands for dy.
    static void backward(
            Parallel parallel,
            MemorySegment dx,
            MemorySegment dgamma,
            MemorySegment dy,
            MemorySegment x,
            MemorySegment r,
            MemorySegment gamma,
            boolean silu,
            long outer,
            long c,
            long inner) {
        int channels = Math.toIntExact(c);
        int grain = stripsPerPiece(c);
        int pieces = Math.toIntExact((strips(outer, inner) + grain - 1) / grain);
        var part = dgamma == null ? null : new float[pieces][channels];
        float constant = (float) Math.sqrt(c) / SMALLEST;
        forEachStrip(parallel, outer, c, inner, (piece, start, pixel, width) -> {
            var scale = new float[STRIP];
            for (int j = 0; j < width; j++) scale[j] = at(r, pixel + j);
            // The gradient to x·r·γ: dy itself, or what SiLU makes of it. That waits in dx for the second pass; where nobody asks for dx, one
            // channel at a time is enough.
            boolean line = silu && dx == null;
            var g = !silu ? dy : line ? LINE.get() : dx;
            var slope = new float[STRIP];
            for (int k = 0; k < channels; k++) {
                long i = start + k * inner;
                long ig = line ? 0 : i;
                if (silu) throughSilu(g, ig, dy, x, i, scale, at(gamma, k), width);
                if (dgamma != null) part[piece][k] += toGamma(g, ig, x, i, scale, width);
                if (dx != null) addProducts(slope, g, x, i, at(gamma, k), width);
            }
            if (dx == null) return;

            // Where the norm was cut off, r did not depend on x.
            for (int j = 0; j < width; j++) slope[j] = scale[j] >= constant ? 0 : slope[j] * scale[j] * scale[j] / c;
            for (long k = 0; k < c; k++) toInput(dx, g, x, start + k * inner, scale, slope, at(gamma, k), width);
        });
        if (dgamma != null) Reduce.sumParts(parallel, dgamma, part, channels);
    }

    /// g = dy · silu′(x·r·γ)
    private static void throughSilu(
            MemorySegment g, long to, MemorySegment dy, MemorySegment x, long from, float[] r, float gamma, int width) {
        int end = (int) whole(width);
        for (int j = 0; j < end; j += W) {
            var slope = Activation.siluSlope(load(x, from + j).mul(vector(r, j)).mul(gamma));
            store(load(dy, from + j).mul(slope), g, to + j);
        }
        if (end == width) return;
        var in = first(width - end);
        var slope = Activation.siluSlope(load(x, from + end, in).mul(vector(r, end)).mul(gamma));
        store(load(dy, from + end, in).mul(slope), g, to + end, in);
    }

    private static float toGamma(MemorySegment dy, long at, MemorySegment x, long from, float[] r, int width) {
        var sum = zero();
        int end = (int) whole(width);
        for (int j = 0; j < end; j += W) sum = load(dy, at + j).mul(load(x, from + j)).fma(vector(r, j), sum);
        float rest = 0;
        for (int j = end; j < width; j++) rest += at(dy, at + j) * at(x, from + j) * r[j];
        return VectorMath.sum(sum) + rest;
    }

    private static void addProducts(float[] sum, MemorySegment dy, MemorySegment x, long from, float gamma, int width) {
        int end = (int) whole(width);
        for (int j = 0; j < end; j += W) load(dy, from + j).mul(gamma).fma(load(x, from + j), vector(sum, j)).intoArray(sum, j);
        for (int j = end; j < width; j++) sum[j] += at(dy, from + j) * gamma * at(x, from + j);
    }

    private static void toInput(
            MemorySegment dx, MemorySegment dy, MemorySegment x, long from, float[] r, float[] slope, float gamma, int width) {
        int end = (int) whole(width);
        var g = all(gamma);
        for (int j = 0; j < end; j += W) {
            var along = load(x, from + j).mul(vector(slope, j));
            store(load(dy, from + j).fma(g, along.neg()).mul(vector(r, j)), dx, from + j);
        }
        for (int j = end; j < width; j++) put(dx, from + j, (at(dy, from + j) * gamma - at(x, from + j) * slope[j]) * r[j]);
    }

    private static FloatVector vector(float[] values, int i) {
        return FloatVector.fromArray(VectorMath.SPECIES, values, i);
    }
}
