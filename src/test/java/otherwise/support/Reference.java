package otherwise.support;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import otherwise.backend.AttentionBias;
import otherwise.backend.AttentionSpec;
import otherwise.backend.Backend;
import otherwise.backend.ConvSpec;
import otherwise.backend.DType;
import otherwise.backend.MatmulSpec;
import otherwise.backend.Philox4x32;
import otherwise.backend.Scope;
import otherwise.backend.Storage;

/// The whole of [Backend] in plain loops over doubles, written to be obviously right: what other backends are compared with, and
/// what gradients are checked on. Rows are in [ReferenceRows], products in [ReferenceProducts].
public final class Reference implements Backend {
    private long used;
    private long peak;

    @Override
    public String name() {
        return "reference";
    }

    @Override
    public String description() {
        return "plain loops in double precision";
    }

    @Override
    public DType real() {
        return DType.F64;
    }

    @Override
    public Storage allocate(DType type, long size) {
        var storage = new HostStorage(type, size, n -> used -= n * type.bytes());
        used += size * type.bytes();
        peak = Math.max(peak, used);
        Scope.adopt(storage);
        return storage;
    }

    @Override
    public Memory memory() {
        return new Memory(used, peak, 0, peak);
    }

    @Override
    public long capacity() {
        return Long.MAX_VALUE;
    }

    @Override
    public void trim() {}

    static HostStorage at(Storage s) {
        return (HostStorage) s;
    }

    @Override
    public void upload(Storage y, float[] values) {
        for (int i = 0; i < values.length; i++) at(y).set(i, values[i]);
    }

    @Override
    public void upload(Storage y, double[] values) {
        for (int i = 0; i < values.length; i++) at(y).set(i, values[i]);
    }

    @Override
    public void upload(Storage y, long[] values) {
        for (int i = 0; i < values.length; i++) at(y).set(i, values[i]);
    }

    @Override
    public void upload(Storage y, MemorySegment s, DType type) {
        for (long i = 0; i < y.size(); i++) {
            double v = switch (type) {
                case F64 -> s.get(JAVA_DOUBLE_UNALIGNED, 8 * i);
                case F32 -> s.get(JAVA_FLOAT_UNALIGNED, 4 * i);
                case BF16 -> Float.intBitsToFloat(s.get(JAVA_SHORT_UNALIGNED, 2 * i) << 16);
                case F16 -> Float.float16ToFloat(s.get(JAVA_SHORT_UNALIGNED, 2 * i));
                case I64 -> s.get(JAVA_LONG_UNALIGNED, 8 * i);
                case I32 -> s.get(JAVA_INT_UNALIGNED, 4 * i);
                case U8 -> s.get(JAVA_BYTE, i) & 0xff;
            };
            at(y).set(i, v);
        }
    }

    @Override
    public void download(Storage x, float[] values) {
        for (int i = 0; i < values.length; i++) values[i] = (float) at(x).at(i);
    }

    @Override
    public void download(Storage x, double[] values) {
        for (int i = 0; i < values.length; i++) values[i] = at(x).at(i);
    }

    @Override
    public void download(Storage x, long[] values) {
        for (int i = 0; i < values.length; i++) values[i] = (long) at(x).at(i);
    }

    @Override
    public void fill(Storage y, double value) {
        for (long i = 0; i < y.size(); i++) at(y).set(i, value);
    }

    /// The element that index `flat` of the dense shape `dims` has under other strides.
    private static long element(long flat, long[] dims, long[] strides) {
        long element = 0;
        for (int i = dims.length - 1; i >= 0; i--) {
            element += flat % dims[i] * strides[i];
            flat /= dims[i];
        }
        return element;
    }

    private static long size(long[] dims) {
        long n = 1;
        for (long d : dims) n *= d;
        return n;
    }

    @Override
    public void copy(Storage y, long yOffset, long[] yStrides, Storage x, long xOffset, long[] xStrides, long[] dims) {
        for (long i = 0; i < size(dims); i++)
            at(y).set(yOffset + element(i, dims, yStrides), at(x).at(xOffset + element(i, dims, xStrides)));
    }

    @Override
    public void unary(Unary f, Storage y, Storage x) {
        for (long i = 0; i < y.size(); i++) at(y).set(i, value(f, at(x).at(i)));
    }

    @Override
    public void unaryBackward(Unary f, Storage dx, Storage dy, Storage x) {
        for (long i = 0; i < dx.size(); i++) at(dx).set(i, at(dy).at(i) * slope(f, at(x).at(i)));
    }

    static double value(Unary f, double x) {
        return switch (f) {
            case NEG -> -x;
            case ABS -> Math.abs(x);
            case SQUARE -> x * x;
            case SQRT -> Math.sqrt(x);
            case EXP -> Math.exp(x);
            case LOG -> Math.log(x);
            case SIN -> Math.sin(x);
            case COS -> Math.cos(x);
            case TANH -> Math.tanh(x);
            case SIGMOID -> sigmoid(x);
            case RELU -> Math.max(x, 0);
            case SILU -> x * sigmoid(x);
            case GELU -> x * normal(x);
            case GELU_TANH -> x * (1 + Math.tanh(inner(x))) / 2;
        };
    }

    static double slope(Unary f, double x) {
        return switch (f) {
            case NEG -> -1;
            case ABS -> Math.signum(x);
            case SQUARE -> 2 * x;
            case SQRT -> 1 / (2 * Math.sqrt(x));
            case EXP -> Math.exp(x);
            case LOG -> 1 / x;
            case SIN -> Math.cos(x);
            case COS -> -Math.sin(x);
            case TANH -> 1 - Math.tanh(x) * Math.tanh(x);
            case SIGMOID -> sigmoid(x) * (1 - sigmoid(x));
            case RELU -> x > 0 ? 1 : 0;
            case SILU -> sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x));
            case GELU -> normal(x) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
            case GELU_TANH -> {
                double t = Math.tanh(inner(x));
                double du = Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
                yield (1 + t) / 2 + x * (1 - t * t) / 2 * du;
            }
        };
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    private static double inner(double x) {
        return Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x);
    }

    /// Φ(x) = 1/2 + φ(x) · (x + x³/3 + x⁵/(3·5) + x⁷/(3·5·7) + …); in the lower tail φ(x) / (|x| + 1/(|x| + 2/(|x| + 3/…))).
    private static double normal(double x) {
        if (x > 9) return 1;
        if (x < -4) {
            double below = -x;
            for (int n = 100; n > 0; n--) below = -x + n / below;
            return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) / below;
        }
        double term = x;
        double sum = x;
        for (int n = 3; Math.abs(term) > 1e-18 * Math.abs(sum); n += 2) {
            term *= x * x / n;
            sum += term;
        }
        return 0.5 + sum * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
    }

    @Override
    public void binary(Binary f, Storage y, Storage a, long[] aStrides, Storage b, long[] bStrides, long[] dims) {
        for (long i = 0; i < size(dims); i++) {
            double u = at(a).at(element(i, dims, aStrides));
            double v = at(b).at(element(i, dims, bStrides));
            at(y).set(i, switch (f) {
                case ADD -> u + v;
                case SUB -> u - v;
                case MUL -> u * v;
                case DIV -> u / v;
            });
        }
    }

    @Override
    public void affine(Storage y, Storage x, double scale, double offset) {
        for (long i = 0; i < y.size(); i++) at(y).set(i, at(x).at(i) * scale + offset);
    }

    @Override
    public void axpy(Storage y, double alpha, Storage x) {
        for (long i = 0; i < y.size(); i++) at(y).add(i, alpha * at(x).at(i));
    }

    @Override
    public void reduce(Reduction f, Storage y, Storage x, long outer, long n, long inner) {
        for (long o = 0; o < outer; o++)
            for (long i = 0; i < inner; i++) {
                double all = f == Reduction.SUM ? 0 : Double.NEGATIVE_INFINITY;
                for (long k = 0; k < n; k++) {
                    double v = at(x).at((o * n + k) * inner + i);
                    all = f == Reduction.SUM ? all + v : Math.max(all, v);
                }
                at(y).set(o * inner + i, all);
            }
    }

    @Override
    public void gatherRows(Storage y, Storage x, Storage index, long rows, long c) {
        for (long r = 0; r < rows; r++) {
            long source = (long) at(index).at(r);
            for (long j = 0; j < c; j++) at(y).set(r * c + j, source < 0 ? 0 : at(x).at(source * c + j));
        }
    }

    @Override
    public void scatterAddRows(Storage y, Storage x, Storage index, long rows, long yRows, long c) {
        for (long i = 0; i < yRows * c; i++) at(y).set(i, 0);
        for (long r = 0; r < rows; r++) {
            long target = (long) at(index).at(r);
            if (target >= 0) for (long j = 0; j < c; j++) at(y).add(target * c + j, at(x).at(r * c + j));
        }
    }

    @Override
    public void uniform(Storage y, long seed, long stream, long counter) {
        var four = new float[4];
        for (long i = 0; i < y.size(); i++) {
            Philox4x32.uniform(four, seed, stream, counter + i / 4);
            at(y).set(i, four[(int) (i % 4)]);
        }
    }

    @Override
    public void normal(Storage y, long seed, long stream, long counter) {
        var four = new float[4];
        for (long i = 0; i < y.size(); i++) {
            Philox4x32.normal(four, seed, stream, counter + i / 4);
            at(y).set(i, four[(int) (i % 4)]);
        }
    }

    @Override
    public void matmul(Storage y, Storage a, Storage b, Storage bias, MatmulSpec spec, boolean accumulate) {
        ReferenceProducts.matmul(at(y), at(a), at(b), at(bias), spec, accumulate);
    }

    @Override
    public void conv3d(Storage y, Storage x, Storage weight, Storage bias, ConvSpec spec) {
        ReferenceProducts.conv3d(at(y), at(x), at(weight), at(bias), spec);
    }

    @Override
    public void conv3dToInput(Storage dx, Storage dy, Storage weight, ConvSpec spec) {
        ReferenceProducts.conv3dToInput(at(dx), at(dy), at(weight), spec);
    }

    @Override
    public void conv3dToWeight(Storage dweight, Storage dbias, Storage dy, Storage x, ConvSpec spec) {
        ReferenceProducts.conv3dToWeight(at(dweight), at(dbias), at(dy), at(x), spec);
    }

    @Override
    public void attention(Storage y, Storage logsumexp, Storage q, Storage k, Storage v, AttentionBias added, AttentionSpec spec) {
        new ReferenceAttention(at(q), at(k), at(v), added, spec).forward(at(y), at(logsumexp));
    }

    @Override
    public void attentionBackward(
            Storage dq, Storage dk, Storage dv, Storage dbias, Storage dy, Storage y, Storage logsumexp, Storage q, Storage k, Storage v,
            AttentionBias added, AttentionSpec spec) {
        new ReferenceAttention(at(q), at(k), at(v), added, spec)
                .backward(at(dq), at(dk), at(dv), at(dbias), at(dy), at(y), at(logsumexp));
    }

    @Override
    public void softmax(Storage y, Storage x, long rows, long c) {
        ReferenceRows.softmax(at(y), at(x), rows, c);
    }

    @Override
    public void softmaxBackward(Storage dx, Storage dy, Storage y, long rows, long c) {
        ReferenceRows.softmaxBackward(at(dx), at(dy), at(y), rows, c);
    }

    @Override
    public void logSoftmax(Storage y, Storage x, long rows, long c) {
        ReferenceRows.logSoftmax(at(y), at(x), rows, c);
    }

    @Override
    public void logSoftmaxBackward(Storage dx, Storage dy, Storage y, long rows, long c) {
        ReferenceRows.logSoftmaxBackward(at(dx), at(dy), at(y), rows, c);
    }

    @Override
    public void layerNorm(Storage y, Storage mean, Storage rstd, Storage x, Storage w, Storage b, double eps, long rows, long c) {
        ReferenceRows.layerNorm(at(y), at(mean), at(rstd), at(x), at(w), at(b), eps, rows, c);
    }

    @Override
    public void layerNormBackward(
            Storage dx, Storage dw, Storage db, Storage dy, Storage x, Storage mean, Storage rstd, Storage w, long rows, long c) {
        ReferenceRows.normBackward(at(dx), at(dw), at(db), at(dy), at(x), at(mean), at(rstd), at(w), rows, c);
    }

    @Override
    public void modulatedNorm(
            Storage y, Storage mean, Storage rstd, Storage x, Storage scale, Storage shift, double eps, long batch, long length, long c) {
        ReferenceRows.modulatedNorm(at(y), at(mean), at(rstd), at(x), at(scale), at(shift), eps, batch, length, c);
    }

    @Override
    public void modulatedNormBackward(
            Storage dx, Storage dscale, Storage dshift, Storage dy, Storage x, Storage mean, Storage rstd, Storage scale, long batch,
            long length, long c) {
        ReferenceRows.modulatedNormBackward(at(dx), at(dscale), at(dshift), at(dy), at(x), at(mean), at(rstd), at(scale), batch, length, c);
    }

    @Override
    public void gatedAdd(Storage y, Storage x, Storage gate, Storage h, long batch, long length, long c) {
        ReferenceRows.gatedAdd(at(y), at(x), at(gate), at(h), length, c);
    }

    @Override
    public void gatedAddBackward(Storage dh, Storage dgate, Storage dy, Storage gate, Storage h, long batch, long length, long c) {
        ReferenceRows.gatedAddBackward(at(dh), at(dgate), at(dy), at(gate), at(h), length, c);
    }

    @Override
    public void rmsNorm(Storage y, Storage r, Storage x, Storage w, double eps, long rows, long c) {
        ReferenceRows.rmsNorm(at(y), at(r), at(x), at(w), eps, rows, c);
    }

    @Override
    public void rmsNormBackward(Storage dx, Storage dw, Storage dy, Storage x, Storage r, Storage w, long rows, long c) {
        ReferenceRows.normBackward(at(dx), at(dw), null, at(dy), at(x), null, at(r), at(w), rows, c);
    }

    @Override
    public void rmsNormRope(
            Storage y, Storage r, Storage x, Storage w, Storage cos, Storage sin, double eps, long batch, long length, long heads,
            long width) {
        rmsNorm(y, r, x, w, eps, batch * length, heads * width);
        rope(y, y, cos, sin, batch, length, heads, width, false);
    }

    @Override
    public void rmsNormRopeBackward(
            Storage dx, Storage dw, Storage dy, Storage x, Storage r, Storage w, Storage cos, Storage sin, long batch, long length,
            long heads, long width) {
        var g = new HostStorage(dy.type(), dy.size(), _ -> {});
        rope(g, dy, cos, sin, batch, length, heads, width, true);
        rmsNormBackward(dx, dw, g, x, r, w, batch * length, heads * width);
    }

    @Override
    public void channelNorm(Storage y, Storage r, Storage x, Storage gamma, boolean silu, long outer, long c, long inner) {
        ReferenceRows.channelNorm(at(y), at(r), at(x), at(gamma), silu, outer, c, inner);
    }

    @Override
    public void channelNormBackward(
            Storage dx, Storage dgamma, Storage dy, Storage x, Storage r, Storage gamma, boolean silu, long outer, long c, long inner) {
        ReferenceRows.channelNormBackward(at(dx), at(dgamma), at(dy), at(x), at(r), at(gamma), silu, outer, c, inner);
    }

    @Override
    public void rope(Storage y, Storage x, Storage cos, Storage sin, long batch, long length, long heads, long width, boolean inverse) {
        ReferenceRows.rope(at(y), at(x), at(cos), at(sin), batch, length, heads, width, inverse);
    }

    @Override
    public void upsample2x(Storage y, Storage x, long planes, long h, long w) {
        for (long p = 0; p < planes; p++)
            for (long i = 0; i < 2 * h; i++)
                for (long j = 0; j < 2 * w; j++) at(y).set((p * 2 * h + i) * 2 * w + j, at(x).at((p * h + i / 2) * w + j / 2));
    }

    @Override
    public void upsample2xBackward(Storage dx, Storage dy, long planes, long h, long w) {
        fill(dx, 0);
        for (long p = 0; p < planes; p++)
            for (long i = 0; i < 2 * h; i++)
                for (long j = 0; j < 2 * w; j++) at(dx).add((p * h + i / 2) * w + j / 2, at(dy).at((p * 2 * h + i) * 2 * w + j));
    }

    @Override
    public void adamW(
            Storage p, Storage m, Storage v, Storage g, double lr, double beta1, double beta2, double eps, double decay, long step) {
        for (long i = 0; i < p.size(); i++) {
            double gi = at(g).at(i);
            at(m).set(i, beta1 * at(m).at(i) + (1 - beta1) * gi);
            at(v).set(i, beta2 * at(v).at(i) + (1 - beta2) * gi * gi);
            double mHat = at(m).at(i) / (1 - Math.pow(beta1, step));
            double vHat = at(v).at(i) / (1 - Math.pow(beta2, step));
            at(p).set(i, at(p).at(i) * (1 - lr * decay) - lr * mHat / (Math.sqrt(vHat) + eps));
        }
    }

    @Override
    public void close() {}
}
