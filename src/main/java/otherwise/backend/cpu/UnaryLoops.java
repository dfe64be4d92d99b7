package otherwise.backend.cpu;

import static jdk.incubator.vector.VectorOperators.GT;
import static otherwise.backend.cpu.Lanes.at;
import static otherwise.backend.cpu.Lanes.load;
import static otherwise.backend.cpu.Lanes.put;
import static otherwise.backend.cpu.Lanes.store;
import static otherwise.backend.cpu.Lanes.zero;

import java.lang.foreign.MemorySegment;
import otherwise.backend.Backend.Unary;

/// The loops of the elementwise functions, over whole vectors.
///
/// Each function has a loop of its own: one loop that called the function through an interface would box every vector. And each loop is a
/// method of its own, reached through an interface: the compiler gives up on some of the loops where a dozen share a method.
final class UnaryLoops {
    private static final int W = VectorMath.LANES;

    private UnaryLoops() {}

    /// y = f(x)
    @FunctionalInterface
    interface Forward {
        void run(MemorySegment y, MemorySegment x, long from, long to);
    }

    /// dx = dy · f′(x)
    @FunctionalInterface
    interface Backward {
        void run(MemorySegment dx, MemorySegment dy, MemorySegment x, long from, long to);
    }

    /// The functions that networks use little (logarithm, sine, cosine) go by the JDK's, in double.
    static Forward forward(Unary f) {
        return switch (f) {
            case NEG -> (y, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(x, i).neg(), y, i);
            };
            case ABS -> (y, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(x, i).abs(), y, i);
            };
            case SQUARE -> (y, x, from, to) -> {
                for (long i = from; i < to; i += W) {
                    var v = load(x, i);
                    store(v.mul(v), y, i);
                }
            };
            case SQRT -> (y, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(x, i).sqrt(), y, i);
            };
            case EXP -> (y, x, from, to) -> {
                for (long i = from; i < to; i += W) store(VectorMath.exp(load(x, i)), y, i);
            };
            case LOG -> (y, x, from, to) -> {
                for (long i = from; i < to; i++) put(y, i, (float) Math.log(at(x, i)));
            };
            case SIN -> (y, x, from, to) -> {
                for (long i = from; i < to; i++) put(y, i, (float) Math.sin(at(x, i)));
            };
            case COS -> (y, x, from, to) -> {
                for (long i = from; i < to; i++) put(y, i, (float) Math.cos(at(x, i)));
            };
            case TANH -> (y, x, from, to) -> {
                for (long i = from; i < to; i += W) store(Activation.tanh(load(x, i)), y, i);
            };
            case SIGMOID -> (y, x, from, to) -> {
                for (long i = from; i < to; i += W) store(Activation.sigmoid(load(x, i)), y, i);
            };
            case RELU -> (y, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(x, i).max(zero()), y, i);
            };
            case SILU -> (y, x, from, to) -> {
                for (long i = from; i < to; i += W) store(Activation.silu(load(x, i)), y, i);
            };
            case GELU -> (y, x, from, to) -> {
                for (long i = from; i < to; i += W) store(Activation.gelu(load(x, i)), y, i);
            };
            case GELU_TANH -> (y, x, from, to) -> {
                for (long i = from; i < to; i += W) store(Activation.geluTanh(load(x, i)), y, i);
            };
        };
    }

    /// At a corner the slope is 0, as in PyTorch.
    static Backward backward(Unary f) {
        return switch (f) {
            case NEG -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(dy, i).neg(), dx, i);
            };
            case ABS -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i += W) {
                    var v = load(x, i);
                    var g = load(dy, i);
                    store(zero().blend(g, v.compare(GT, 0)).blend(g.neg(), v.lt(0)), dx, i);
                }
            };
            case SQUARE -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(load(x, i)).mul(2), dx, i);
            };
            case SQRT -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(0.5f).div(load(x, i).sqrt()), dx, i);
            };
            case EXP -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(VectorMath.exp(load(x, i))), dx, i);
            };
            case LOG -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(dy, i).div(load(x, i)), dx, i);
            };
            case SIN -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i++) put(dx, i, (float) (at(dy, i) * Math.cos(at(x, i))));
            };
            case COS -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i++) put(dx, i, (float) (at(dy, i) * -Math.sin(at(x, i))));
            };
            case TANH -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(Activation.tanhSlope(load(x, i))), dx, i);
            };
            case SIGMOID -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(Activation.sigmoidSlope(load(x, i))), dx, i);
            };
            case RELU -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i += W)
                    store(zero().blend(load(dy, i), load(x, i).compare(GT, 0)), dx, i);
            };
            case SILU -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(Activation.siluSlope(load(x, i))), dx, i);
            };
            case GELU -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(Activation.geluSlope(load(x, i))), dx, i);
            };
            case GELU_TANH -> (dx, dy, x, from, to) -> {
                for (long i = from; i < to; i += W) store(load(dy, i).mul(Activation.geluTanhSlope(load(x, i))), dx, i);
            };
        };
    }
}
