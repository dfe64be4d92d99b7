package otherwise.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static otherwise.backend.cpu.Lanes.all;
import static otherwise.backend.cpu.Lanes.at;
import static otherwise.backend.cpu.Lanes.load;
import static otherwise.backend.cpu.Lanes.put;
import static otherwise.backend.cpu.Lanes.store;
import static otherwise.backend.cpu.Lanes.whole;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import otherwise.backend.Backend.Unary;
import otherwise.backend.DType;

/// What is done to every element by itself.
final class Elementwise {
    private static final int W = VectorMath.LANES;

    /// Room for a last, partial vector of each argument, a thread: the loops then know whole vectors only.
    private static final ThreadLocal<MemorySegment> REST = ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(3L * 4 * W, 64));

    private Elementwise() {}

    static void fill(Parallel parallel, MemorySegment y, DType type, double value, long n) {
        var one = MemorySegment.ofArray(new byte[8]);
        Transfer.write(one, type, MemorySegment.ofArray(new double[] {value}), DType.F64, 1);
        parallel.range(n, 4 * Lanes.GRAIN, (from, to) -> {
            switch (type.bytes()) {
                case 1 -> y.asSlice(from, to - from).fill(one.get(JAVA_BYTE, 0));
                case 2 -> {
                    short v = one.get(JAVA_SHORT_UNALIGNED, 0);
                    for (long i = from; i < to; i++) y.set(JAVA_SHORT_UNALIGNED, i << 1, v);
                }
                case 4 -> {
                    int v = one.get(JAVA_INT_UNALIGNED, 0);
                    for (long i = from; i < to; i++) y.set(JAVA_INT_UNALIGNED, i << 2, v);
                }
                default -> {
                    long v = one.get(JAVA_LONG_UNALIGNED, 0);
                    for (long i = from; i < to; i++) y.set(JAVA_LONG_UNALIGNED, i << 3, v);
                }
            }
        });
    }

    static void unary(Parallel parallel, Unary f, MemorySegment y, MemorySegment x, long n) {
        var loop = UnaryLoops.forward(f);
        parallel.range(n, Lanes.GRAIN, (from, to) -> {
            long end = from + whole(to - from);
            long rest = (to - end) << 2;
            loop.run(y, x, from, end);
            if (rest == 0) return;
            var last = REST.get();
            MemorySegment.copy(x, end << 2, last, 0, rest);
            loop.run(last, last, 0, W);
            MemorySegment.copy(last, 0, y, end << 2, rest);
        });
    }

    static void unaryBackward(Parallel parallel, Unary f, MemorySegment dx, MemorySegment dy, MemorySegment x, long n) {
        var loop = UnaryLoops.backward(f);
        parallel.range(n, Lanes.GRAIN, (from, to) -> {
            long end = from + whole(to - from);
            long rest = (to - end) << 2;
            loop.run(dx, dy, x, from, end);
            if (rest == 0) return;
            var last = REST.get();
            var lastX = last.asSlice(4L * W);
            MemorySegment.copy(dy, end << 2, last, 0, rest);
            MemorySegment.copy(x, end << 2, lastX, 0, rest);
            loop.run(last, last, lastX, 0, W);
            MemorySegment.copy(last, 0, dx, end << 2, rest);
        });
    }

    /// y = x · scale + offset
    static void affine(Parallel parallel, MemorySegment y, MemorySegment x, float scale, float offset, long n) {
        parallel.range(n, Lanes.GRAIN, (from, to) -> {
            var a = all(scale);
            var b = all(offset);
            long end = from + whole(to - from);
            for (long i = from; i < end; i += W) store(load(x, i).fma(a, b), y, i);
            for (long i = end; i < to; i++) put(y, i, Math.fma(at(x, i), scale, offset));
        });
    }

    /// y += alpha · x
    static void axpy(Parallel parallel, MemorySegment y, float alpha, MemorySegment x, long n) {
        parallel.range(n, Lanes.GRAIN, (from, to) -> {
            var a = all(alpha);
            long end = from + whole(to - from);
            for (long i = from; i < end; i += W) store(load(x, i).fma(a, load(y, i)), y, i);
            for (long i = end; i < to; i++) put(y, i, Math.fma(at(x, i), alpha, at(y, i)));
        });
    }

    /// All four arrays pass through the cache once.
    static void adamW(
            Parallel parallel,
            MemorySegment p,
            MemorySegment m,
            MemorySegment v,
            MemorySegment g,
            double lr,
            double beta1,
            double beta2,
            double eps,
            double decay,
            long step,
            long n) {
        float keep = (float) (1 - lr * decay);
        float b1 = (float) beta1;
        float b2 = (float) beta2;
        float new1 = (float) (1 - beta1);
        float new2 = (float) (1 - beta2);
        float rate = (float) (lr / (1 - Math.pow(beta1, step)));
        float root = (float) (1 / Math.sqrt(1 - Math.pow(beta2, step)));
        float e = (float) eps;
        parallel.range(n, Lanes.GRAIN, (from, to) -> {
            long end = from + whole(to - from);
            for (long i = from; i < end; i += W) {
                var gi = load(g, i);
                var mi = load(m, i).mul(b1).add(gi.mul(new1));
                var vi = load(v, i).mul(b2).add(gi.mul(gi).mul(new2));
                store(mi, m, i);
                store(vi, v, i);
                store(load(p, i).mul(keep).sub(mi.mul(rate).div(vi.sqrt().mul(root).add(e))), p, i);
            }
            for (long i = end; i < to; i++) {
                float gi = at(g, i);
                float mi = at(m, i) * b1 + gi * new1;
                float vi = at(v, i) * b2 + gi * gi * new2;
                put(m, i, mi);
                put(v, i, vi);
                put(p, i, at(p, i) * keep - mi * rate / ((float) Math.sqrt(vi) * root + e));
            }
        });
    }
}
