package otherwise.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static jdk.incubator.vector.VectorOperators.GT;
import static otherwise.backend.cpu.Lanes.all;
import static otherwise.backend.cpu.Lanes.at;
import static otherwise.backend.cpu.Lanes.load;
import static otherwise.backend.cpu.Lanes.put;
import static otherwise.backend.cpu.Lanes.store;
import static otherwise.backend.cpu.Lanes.whole;
import static otherwise.backend.cpu.Lanes.zero;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import otherwise.backend.Backend.Unary;
import otherwise.backend.DType;

/// What is done to every element by itself.
///
/// Each function has a loop of its own: one loop that called it through an interface would box every vector.
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
        parallel.range(n, Lanes.GRAIN, (from, to) -> {
            long end = from + whole(to - from);
            long rest = (to - end) << 2;
            forward(f, y, x, from, end);
            if (rest == 0) return;
            var last = REST.get();
            MemorySegment.copy(x, end << 2, last, 0, rest);
            forward(f, last, last, 0, W);
            MemorySegment.copy(last, 0, y, end << 2, rest);
        });
    }

    static void unaryBackward(Parallel parallel, Unary f, MemorySegment dx, MemorySegment dy, MemorySegment x, long n) {
        parallel.range(n, Lanes.GRAIN, (from, to) -> {
            long end = from + whole(to - from);
            long rest = (to - end) << 2;
            backward(f, dx, dy, x, from, end);
            if (rest == 0) return;
            var last = REST.get();
            var lastX = last.asSlice(4L * W);
            MemorySegment.copy(dy, end << 2, last, 0, rest);
            MemorySegment.copy(x, end << 2, lastX, 0, rest);
            backward(f, last, last, lastX, 0, W);
            MemorySegment.copy(last, 0, dx, end << 2, rest);
        });
    }

    /// y = f(x) over whole vectors. The functions that networks use little (logarithm, sine, cosine) go by the JDK's, in double.
    private static void forward(Unary f, MemorySegment y, MemorySegment x, long from, long to) {
        switch (f) {
            case NEG -> {
                for (long i = from; i < to; i += W) store(load(x, i).neg(), y, i);
            }
            case ABS -> {
                for (long i = from; i < to; i += W) store(load(x, i).abs(), y, i);
            }
            case SQUARE -> {
                for (long i = from; i < to; i += W) {
                    var v = load(x, i);
                    store(v.mul(v), y, i);
                }
            }
            case SQRT -> {
                for (long i = from; i < to; i += W) store(load(x, i).sqrt(), y, i);
            }
            case EXP -> {
                for (long i = from; i < to; i += W) store(VectorMath.exp(load(x, i)), y, i);
            }
            case LOG -> {
                for (long i = from; i < to; i++) put(y, i, (float) Math.log(at(x, i)));
            }
            case SIN -> {
                for (long i = from; i < to; i++) put(y, i, (float) Math.sin(at(x, i)));
            }
            case COS -> {
                for (long i = from; i < to; i++) put(y, i, (float) Math.cos(at(x, i)));
            }
            case TANH -> {
                for (long i = from; i < to; i += W) store(Activation.tanh(load(x, i)), y, i);
            }
            case SIGMOID -> {
                for (long i = from; i < to; i += W) store(Activation.sigmoid(load(x, i)), y, i);
            }
            case RELU -> {
                for (long i = from; i < to; i += W) store(load(x, i).max(zero()), y, i);
            }
            case SILU -> {
                for (long i = from; i < to; i += W) store(Activation.silu(load(x, i)), y, i);
            }
            case GELU -> {
                for (long i = from; i < to; i += W) store(Activation.gelu(load(x, i)), y, i);
            }
            case GELU_TANH -> {
                for (long i = from; i < to; i += W) store(Activation.geluTanh(load(x, i)), y, i);
            }
        }
    }

    /// dx = dy · f′(x) over whole vectors. At a corner the slope is 0, as in PyTorch.
    private static void backward(Unary f, MemorySegment dx, MemorySegment dy, MemorySegment x, long from, long to) {
        switch (f) {
            case NEG -> {
                for (long i = from; i < to; i += W) store(load(dy, i).neg(), dx, i);
            }
            case ABS -> {
                for (long i = from; i < to; i += W) {
                    var v = load(x, i);
                    var g = load(dy, i);
                    store(zero().blend(g, v.compare(GT, 0)).blend(g.neg(), v.lt(0)), dx, i);
                }
            }
            case SQUARE -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(load(x, i)).mul(2), dx, i);
            }
            case SQRT -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(0.5f).div(load(x, i).sqrt()), dx, i);
            }
            case EXP -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(VectorMath.exp(load(x, i))), dx, i);
            }
            case LOG -> {
                for (long i = from; i < to; i += W) store(load(dy, i).div(load(x, i)), dx, i);
            }
            case SIN -> {
                for (long i = from; i < to; i++) put(dx, i, (float) (at(dy, i) * Math.cos(at(x, i))));
            }
            case COS -> {
                for (long i = from; i < to; i++) put(dx, i, (float) (at(dy, i) * -Math.sin(at(x, i))));
            }
            case TANH -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(Activation.tanhSlope(load(x, i))), dx, i);
            }
            case SIGMOID -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(Activation.sigmoidSlope(load(x, i))), dx, i);
            }
            case RELU -> {
                for (long i = from; i < to; i += W)
                    store(zero().blend(load(dy, i), load(x, i).compare(GT, 0)), dx, i);
            }
            case SILU -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(Activation.siluSlope(load(x, i))), dx, i);
            }
            case GELU -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(Activation.geluSlope(load(x, i))), dx, i);
            }
            case GELU_TANH -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(Activation.geluTanhSlope(load(x, i))), dx, i);
            }
        }
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
