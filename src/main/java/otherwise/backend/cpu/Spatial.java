package otherwise.backend.cpu;

import static otherwise.backend.cpu.Lanes.at;
import static otherwise.backend.cpu.Lanes.load;
import static otherwise.backend.cpu.Lanes.put;
import static otherwise.backend.cpu.Lanes.store;
import static otherwise.backend.cpu.Lanes.whole;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/// Rotary position embedding, and doubling of pictures: kernels that work on pairs of neighbours.
final class Spatial {
    private static final int W = VectorMath.LANES;

    /// Every lane gets its partner in the pair (2j, 2j+1).
    private static final VectorShuffle<Float> PARTNER = VectorShuffle.fromOp(VectorMath.SPECIES, i -> i ^ 1);

    /// The lower, and the upper half of a vector, every lane twice.
    private static final VectorShuffle<Float> TWICE_LOW = VectorShuffle.fromOp(VectorMath.SPECIES, i -> i / 2);

    private static final VectorShuffle<Float> TWICE_HIGH = VectorShuffle.fromOp(VectorMath.SPECIES, i -> W / 2 + i / 2);

    /// The even lanes of a vector, repeated; and the mask of the upper half.
    private static final VectorShuffle<Float> EVEN = VectorShuffle.fromOp(VectorMath.SPECIES, i -> 2 * i % W);

    private static final VectorMask<Float> UPPER = VectorMath.SPECIES.indexInRange(0, W / 2).not();

    private Spatial() {}

    static void rope(
            Parallel parallel,
            MemorySegment y,
            MemorySegment x,
            MemorySegment cos,
            MemorySegment sin,
            long batch,
            long length,
            long heads,
            long width,
            boolean inverse) {
        int d = Math.toIntExact(width);
        parallel.range(length, Math.max(1, Lanes.GRAIN / (batch * heads * width)), (from, to) -> {
            var c = new float[d];
            var s = new float[d];
            for (long l = from; l < to; l++) {
                spread(c, s, cos, sin, l, inverse);
                for (long b = 0; b < batch; b++)
                    for (long h = 0; h < heads; h++) rotate(y, x, ((b * length + l) * heads + h) * width, c, s);
            }
        });
    }

    /// The angles of position `l`, spread over the pairs and shared by all heads: y = x · c + partner(x) · s.
    static void spread(float[] c, float[] s, MemorySegment cos, MemorySegment sin, long l, boolean inverse) {
        int half = c.length / 2;
        for (int j = 0; j < half; j++) {
            float sine = at(sin, l * half + j);
            c[2 * j] = at(cos, l * half + j);
            c[2 * j + 1] = c[2 * j];
            s[2 * j] = inverse ? sine : -sine;
            s[2 * j + 1] = -s[2 * j];
        }
    }

    /// One head, from its element `from` on; y may be x.
    static void rotate(MemorySegment y, MemorySegment x, long from, float[] c, float[] s) {
        int end = (int) whole(c.length);
        for (int j = 0; j < end; j += W) {
            var v = load(x, from + j);
            var turned = v.rearrange(PARTNER).mul(FloatVector.fromArray(VectorMath.SPECIES, s, j));
            store(v.fma(FloatVector.fromArray(VectorMath.SPECIES, c, j), turned), y, from + j);
        }
        for (int j = end; j < c.length; j += 2) {
            float x0 = at(x, from + j);
            float x1 = at(x, from + j + 1);
            put(y, from + j, Math.fma(x0, c[j], x1 * s[j]));
            put(y, from + j + 1, Math.fma(x1, c[j + 1], x0 * s[j + 1]));
        }
    }

    static void upsample2x(Parallel parallel, MemorySegment y, MemorySegment x, long planes, long h, long w) {
        parallel.range(planes * h, Math.max(1, Lanes.GRAIN / (4 * Math.max(1, w))), (from, to) -> {
            long end = whole(w);
            for (long row = from; row < to; row++) {
                long ix = row * w;
                long iy = row * 4 * w;
                for (long j = 0; j < end; j += W) {
                    var v = load(x, ix + j);
                    var low = v.rearrange(TWICE_LOW);
                    var high = v.rearrange(TWICE_HIGH);
                    store(low, y, iy + 2 * j);
                    store(high, y, iy + 2 * j + W);
                    store(low, y, iy + 2 * w + 2 * j);
                    store(high, y, iy + 2 * w + 2 * j + W);
                }
                for (long j = end; j < w; j++) {
                    float v = at(x, ix + j);
                    put(y, iy + 2 * j, v);
                    put(y, iy + 2 * j + 1, v);
                    put(y, iy + 2 * w + 2 * j, v);
                    put(y, iy + 2 * w + 2 * j + 1, v);
                }
            }
        });
    }

    static void upsample2xBackward(Parallel parallel, MemorySegment dx, MemorySegment dy, long planes, long h, long w) {
        parallel.range(planes * h, Math.max(1, Lanes.GRAIN / (4 * Math.max(1, w))), (from, to) -> {
            long end = whole(w);
            for (long row = from; row < to; row++) {
                long ix = row * w;
                long iy = row * 4 * w;
                for (long j = 0; j < end; j += W) {
                    var low = pairs(load(dy, iy + 2 * j).add(load(dy, iy + 2 * w + 2 * j)));
                    var high = pairs(load(dy, iy + 2 * j + W).add(load(dy, iy + 2 * w + 2 * j + W)));
                    store(low.blend(high, UPPER), dx, ix + j);
                }
                for (long j = end; j < w; j++) {
                    float even = at(dy, iy + 2 * j) + at(dy, iy + 2 * w + 2 * j);
                    float odd = at(dy, iy + 2 * j + 1) + at(dy, iy + 2 * w + 2 * j + 1);
                    put(dx, ix + j, even + odd);
                }
            }
        });
    }

    /// The sums of neighbouring lanes, in the lower half and again in the upper.
    private static FloatVector pairs(FloatVector v) {
        return v.add(v.rearrange(PARTNER)).rearrange(EVEN);
    }
}
