package otherwise.backend.cpu;

import static otherwise.backend.cpu.Lanes.all;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// The smooth functions of [otherwise.backend.Backend.Unary] and their derivatives, a vector at a time, all by way of one exponential.
final class Activation {
    private static final float INV_SQRT_2PI = 0.3989423f;

    /// The tanh form of GELU: x · (1 + tanh(u)) / 2 = x · sigmoid(2u), u = √(2/π) · (x + 0.044715·x³).
    private static final float GELU_A = 1.5957692f;

    private static final float GELU_B = 0.044715f;

    private Activation() {}

    /// 1 / (1 + e⁻ˣ)
    static FloatVector sigmoid(FloatVector x) {
        return all(1).div(VectorMath.exp(x.neg()).add(1));
    }

    /// With e = e^{−|x|}: e / (1 + e)², which keeps its digits far out, where 1 − sigmoid would not.
    static FloatVector sigmoidSlope(FloatVector x) {
        var e = VectorMath.exp(x.abs().neg());
        var one = e.add(1);
        return e.div(one.mul(one));
    }

    /// Near 0 an odd polynomial (least-maximum fit, relative error 3e-9 up to 0.6), for 1 − 2/(e²ˣ + 1) would lose the small digits.
    static FloatVector tanh(FloatVector x) {
        var z = x.mul(x);
        var p = all(-0.0059058606f)
                .fma(z, all(0.020805378f))
                .fma(z, all(-0.05378668f))
                .fma(z, all(0.13331959f))
                .fma(z, all(-0.333333f));
        var near = p.mul(z).fma(x, x);
        var far = all(1).sub(all(2).div(VectorMath.exp(x.add(x)).add(1)));
        return far.blend(near, x.abs().lt(0.6f));
    }

    /// 1 − tanh²(x) = 4 · sigmoid′(2x)
    static FloatVector tanhSlope(FloatVector x) {
        return sigmoidSlope(x.add(x)).mul(4);
    }

    static FloatVector silu(FloatVector x) {
        return x.div(VectorMath.exp(x.neg()).add(1));
    }

    static FloatVector siluSlope(FloatVector x) {
        var s = sigmoid(x);
        return x.mul(all(1).sub(s)).add(1).mul(s);
    }

    /// Φ(−|x|) · e^{x²/2}: times the bell it is the lower tail of the normal distribution.
    ///
    /// A polynomial in t = 1/(1 + 0.35·|x|), fitted for the least maximum relative error (3e-8) over |x| ≤ 14.
    private static FloatVector tailOverBell(FloatVector x) {
        var t = all(1).div(x.abs().fma(all(0.35f), all(1)));
        return all(-0.0291451f)
                .fma(t, all(0.14396755f))
                .fma(t, all(-0.25570548f))
                .fma(t, all(0.15916383f))
                .fma(t, all(-0.0231025f))
                .fma(t, all(0.105504796f))
                .fma(t, all(0.11983371f))
                .fma(t, all(0.13986175f))
                .fma(t, all(0.1396214f))
                .mul(t);
    }

    /// e^{−x²/2}
    private static FloatVector bell(FloatVector x) {
        return VectorMath.exp(x.mul(x).mul(-0.5f));
    }

    private static FloatVector upperWhere(FloatVector tail, FloatVector x) {
        return tail.blend(all(1).sub(tail), x.compare(VectorOperators.GE, 0));
    }

    /// x · Φ(x)
    static FloatVector gelu(FloatVector x) {
        return x.mul(upperWhere(tailOverBell(x).mul(bell(x)), x));
    }

    /// Φ(x) + x · φ(x)
    static FloatVector geluSlope(FloatVector x) {
        var bell = bell(x);
        return x.mul(bell).fma(all(INV_SQRT_2PI), upperWhere(tailOverBell(x).mul(bell), x));
    }

    private static FloatVector geluTanhGate(FloatVector x) {
        return sigmoid(x.mul(x).mul(GELU_B).add(1).mul(x).mul(GELU_A));
    }

    static FloatVector geluTanh(FloatVector x) {
        return x.mul(geluTanhGate(x));
    }

    static FloatVector geluTanhSlope(FloatVector x) {
        var s = geluTanhGate(x);
        var du = x.mul(x).mul(3 * GELU_B).add(1).mul(GELU_A);
        return x.mul(du).mul(all(1).sub(s)).fma(s, s);
    }
}
