package otherwise.tensor;

import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import otherwise.backend.Backend;
import otherwise.backend.Backend.Unary;
import otherwise.backend.DType;
import otherwise.backend.cpu.CpuBackend;
import otherwise.support.Emulated;
import otherwise.support.GradCheck;
import otherwise.support.Reference;

/// Every op's backward pass against differences of its forward pass, in double precision, at odd sizes and size 1; and the same op by the CUDA
/// kernels, emulated, in both types that they store.
class OpGradientTest {
    private static final Reference REFERENCE = new Reference();
    private static final Backend CPU = new CpuBackend(1);

    /// How far results and gradients on the kernels of `kernels/` may be from the reference's: a few roundings of the type.
    private static final double F32 = 2e-6;
    private static final double BF16 = 3e-2;

    private static long[] s(long... dims) {
        return dims;
    }

    private static DynamicTest of(String name, Function<List<Tensor>, Tensor> f, long[]... shapes) {
        return DynamicTest.dynamicTest(name, () -> {
            GradCheck.check(REFERENCE, f, shapes);
            GradCheck.forgets(CPU, f, shapes);
            Emulated.device(DType.F32).ifPresent(device -> GradCheck.forgets(device, f, shapes));
            Emulated.device(DType.F32).ifPresent(device -> GradCheck.agree(REFERENCE, device, F32, f, shapes));
            Emulated.device(DType.BF16).ifPresent(device -> GradCheck.agree(REFERENCE, device, BF16, f, shapes));
        });
    }

    @TestFactory
    Stream<DynamicTest> arithmetic() {
        return Stream.of(
                of("add", x -> x.get(0).add(x.get(1)), s(3, 5), s(3, 5)),
                of("add row", x -> x.get(0).add(x.get(1)), s(3, 5), s(5)),
                of("add to more axes", x -> x.get(0).add(x.get(1)), s(5), s(2, 3, 5)),
                of("sub column", x -> x.get(0).sub(x.get(1)), s(3, 5), s(3, 1)),
                of("mul both ways", x -> x.get(0).mul(x.get(1)), s(3, 1, 5), s(1, 4, 5)),
                of("mul with itself", x -> x.get(0).mul(x.get(0)), s(7)),
                of("div", x -> x.get(0).div(x.get(1).square().plus(1)), s(2, 3), s(3)),
                of("affine", x -> x.get(0).affine(-2.5, 3), s(4, 3)),
                of("one element", x -> x.get(0).mul(x.get(1)), s(1), s(1)),
                of("mul, packs", x -> x.get(0).mul(x.get(1)).affine(-2.5, 3), s(2, 3, 16), s(2, 3, 16)),
                of("sub row and div column, packs", x -> x.get(0).sub(x.get(1)).div(x.get(2).square().plus(1)), s(2, 3, 16), s(16),
                        s(2, 3, 1)));
    }

    @TestFactory
    Stream<DynamicTest> unary() {
        return Stream.of(Unary.values()).flatMap(f -> Stream.of(7, 16).map(n -> switch (f) {
            // Away from the kinks at 0, and inside the domain.
            case LOG, SQRT, ABS, RELU -> of(f + " " + n, x -> x.get(0).square().plus(0.5).map(f), s(3, n));
            default -> of(f + " " + n, x -> x.get(0).map(f), s(3, n));
        }));
    }

    @TestFactory
    Stream<DynamicTest> moving() {
        return Stream.of(
                of("sum", x -> x.get(0).sum(), s(3, 4)),
                of("sum axis", x -> x.get(0).sum(1), s(2, 3, 4)),
                of("mean axis", x -> x.get(0).mean(-1), s(2, 5)),
                of("expand", x -> x.get(0).expand(2, 3, 4), s(3, 1)),
                of("reshape", x -> x.get(0).reshape(-1, 2), s(3, 4)),
                of("permute", x -> x.get(0).permute(2, 0, 1), s(2, 3, 4)),
                of("slice first axis", x -> x.get(0).slice(0, 1, 3), s(4, 3)),
                of("slice last axis", x -> x.get(0).slice(-1, 1, 2), s(4, 3)),
                of("pad", x -> x.get(0).pad(1, 2, 1), s(2, 3, 2)),
                of("concat", x -> Tensor.concat(1, x), s(2, 3), s(2, 1)),
                of("chunk", x -> x.get(0).chunk(3, 1).get(1), s(2, 6)),
                of("stack", Tensor::stack, s(2, 3), s(2, 3)),
                of("gather rows", x -> x.get(0).gatherRows(Tensor.indices(x.get(0).backend(), new long[] {2, -1, 0, 2, 2}, 5)), s(3, 4)),
                of("upsample 2x", x -> x.get(0).upsample2x(), s(2, 3, 5)),
                of("upsample 2x, packs", x -> x.get(0).upsample2x(), s(2, 3, 16)),
                of("sum axis, packs", x -> x.get(0).sum(1), s(2, 3, 16)),
                of("sum last axis, packs", x -> x.get(0).sum(2), s(2, 3, 16)),
                of("concat, packs", x -> Tensor.concat(1, x), s(2, 24), s(2, 16)));
    }

    @TestFactory
    Stream<DynamicTest> products() {
        return Stream.of(
                of("matmul", x -> x.get(0).matmul(x.get(1)), s(3, 5), s(5, 2)),
                of("matmul batched", x -> x.get(0).matmul(x.get(1)), s(2, 3, 5), s(2, 5, 4)),
                of("matmul transposed", x -> x.get(0).matmulT(x.get(1)), s(2, 3, 5), s(2, 4, 5)),
                of("matmul shared", x -> x.get(0).matmulT(x.get(1)), s(2, 3, 5), s(4, 5)),
                of("matmul shared, plain", x -> x.get(0).matmul(x.get(1)), s(2, 2, 3, 5), s(5, 4)),
                of("matmul of 1", x -> x.get(0).matmul(x.get(1)), s(1, 1), s(1, 1)),
                of("matmul aᵀ", x -> MatMul.forward(x.get(0), x.get(1), true, false), s(2, 5, 3), s(2, 5, 4)),
                of("matmul aᵀbᵀ", x -> MatMul.forward(x.get(0), x.get(1), true, true), s(2, 5, 3), s(2, 4, 5)),
                of("linear", x -> x.get(0).linear(x.get(1), x.get(2)), s(2, 3, 5), s(4, 5), s(4)),
                of("linear, gelu", x -> x.get(0).linear(x.get(1), x.get(2), Unary.GELU), s(2, 3, 5), s(4, 5), s(4)),
                of("linear, gelu tanh, no bias", x -> x.get(0).linear(x.get(1), null, Unary.GELU_TANH), s(3, 5), s(4, 5)),
                of("linear, silu, long", x -> x.get(0).times(0.1).linear(x.get(1), x.get(2), Unary.SILU), s(7, 300), s(5, 300), s(5)),
                of("linear, tanh", x -> x.get(0).linear(x.get(1), x.get(2), Unary.TANH), s(3, 5), s(4, 5), s(4)),
                of("sum with linear", x -> x.get(0).addLinear(null, x.get(1), x.get(2), x.get(3)), s(2, 3, 4), s(2, 3, 5), s(4, 5), s(4)),
                of("sum with linear of rows", x -> x.get(0).addLinear(null, x.get(1), x.get(2), null), s(7, 3), s(7, 300), s(3, 300)),
                of("gated linear", x -> x.get(0).addLinear(x.get(4), x.get(1), x.get(2), x.get(3)), s(2, 3, 4), s(2, 3, 5), s(4, 5), s(4),
                        s(2, 1, 4)),
                of("gated linear of one, no bias", x -> x.get(0).addLinear(x.get(3), x.get(1), x.get(2), null), s(1, 40, 5), s(1, 40, 9),
                        s(5, 9), s(1, 1, 5)),
                of("gated linear of itself", x -> x.get(0).addLinear(x.get(2), x.get(0), x.get(1), null), s(3, 2, 4), s(4, 4), s(3, 1, 4)),
                of("linear through a frozen gate", OpGradientTest::frozenGate, s(2, 3, 4), s(2, 3, 5), s(4, 5), s(4)),
                of("gated linear, packs", x -> x.get(0).addLinear(x.get(4), x.get(1), x.get(2), x.get(3)), s(2, 3, 16), s(2, 3, 5),
                        s(16, 5),
                        s(16), s(2, 1, 16)),
                of("two linear branches", OpGradientTest::twoBranches, s(3, 5), s(4, 5), s(4)),
                of("attention", x -> x.get(0).attention(x.get(1), x.get(2), 0.6, null), s(2, 3, 2, 4), s(2, 5, 2, 4), s(2, 5, 2, 4)),
                of(
                        "attention with key lengths",
                        x -> x.get(0).attention(x.get(1), x.get(2), 0.5, new long[] {2, 5}),
                        s(2, 3, 1, 3),
                        s(2, 5, 1, 3),
                        s(2, 5, 1, 3)),
                of(
                        "attention with bias and masks",
                        x -> x.get(0).attention(x.get(1), x.get(2), x.get(3), masks(x.get(0)), 0.5, new long[] {5, 4, 1, 5}),
                        s(4, 3, 2, 3),
                        s(4, 5, 2, 3),
                        s(4, 5, 2, 3),
                        s(2, 3, 5)),
                of("conv causal", x -> x.get(0).conv3d(x.get(1), x.get(2), Conv3d.Geometry.causal(3, 3, 3)), s(2, 2, 3, 4, 5),
                        s(3, 2, 3, 3, 3), s(3)),
                of("conv patches", x -> x.get(0).conv3d(x.get(1), x.get(2), Conv3d.Geometry.patches(1, 2, 2)), s(1, 3, 2, 4, 6),
                        s(4, 3, 1, 2, 2), s(4)),
                of(
                        "conv strided, uneven padding, no bias",
                        x -> x.get(0).conv3d(x.get(1), null, new Conv3d.Geometry(2, 2, 1, 1, 0, 0, 1, 1, 2)),
                        s(1, 2, 5, 5, 4),
                        s(3, 2, 3, 3, 2)),
                of("conv 1x1x1", x -> x.get(0).conv3d(x.get(1), x.get(2), Conv3d.Geometry.causal(1, 1, 1)), s(1, 1, 1, 1, 1),
                        s(1, 1, 1, 1, 1), s(1)));
    }

    /// What goes through the gate is not kept.
    private static Tensor frozenGate(List<Tensor> x) {
        return x.get(0).addLinear(angles(x.get(0), 2, 4, true).reshape(2, 1, 4), x.get(1), x.get(2), x.get(3));
    }

    /// Two masks for 3 queries and 5 keys.
    private static Tensor masks(Tensor like) {
        var values = new double[30];
        for (int i = 0; i < values.length; i++) values[i] = i % 4 == 1 ? -100 : i % 3;
        return Tensor.of(like.backend(), values, 2, 3, 5);
    }

    /// The gradient of the sum goes both ways, and the first to have it must not write over it.
    private static Tensor twoBranches(List<Tensor> x) {
        var a = x.get(0).linear(x.get(1), x.get(2), Unary.SILU);
        return a.add(x.get(0).linear(x.get(1), null, Unary.SILU)).times(0.5);
    }

    @TestFactory
    Stream<DynamicTest> rows() {
        return Stream.of(
                of("softmax", x -> x.get(0).softmax(), s(2, 3, 5)),
                of("log softmax", x -> x.get(0).logSoftmax(), s(3, 5)),
                of("cross entropy", x -> x.get(0).crossEntropy(2, 0, 4), s(3, 5)),
                of("layer norm", x -> x.get(0).layerNorm(x.get(1), x.get(2), 1e-5), s(2, 3, 7), s(7), s(7)),
                of("layer norm, plain", x -> x.get(0).layerNorm(null, null, 1e-6), s(3, 7)),
                of("modulated norm", x -> x.get(0).modulatedNorm(x.get(1), x.get(2), 1e-5), s(2, 3, 7), s(2, 1, 7), s(2, 1, 7)),
                of("modulated norm of one", x -> x.get(0).modulatedNorm(x.get(1), x.get(2), 1e-5), s(1, 37, 33), s(1, 1, 33), s(1, 1, 33)),
                of("rms norm", x -> x.get(0).rmsNorm(x.get(1), 1e-6), s(3, 7), s(7)),
                of("channel norm", x -> x.get(0).channelNorm(x.get(1)), s(2, 3, 2, 5), s(3)),
                of("channel norm, silu", x -> x.get(0).channelNormSilu(x.get(1)), s(2, 3, 2, 5), s(3)),
                of("rope", x -> x.get(0).rope(angles(x.get(0), 3, 2, false), angles(x.get(0), 3, 2, true)), s(2, 3, 2, 4)),
                of("softmax, packs", x -> x.get(0).softmax(), s(2, 16)),
                of("log softmax, packs", x -> x.get(0).logSoftmax(), s(2, 16)),
                of("layer norm, packs", x -> x.get(0).layerNorm(x.get(1), x.get(2), 1e-5), s(3, 16), s(16), s(16)),
                of("layer norm, plain, packs", x -> x.get(0).layerNorm(null, null, 1e-6), s(3, 16)),
                of("modulated norm, packs", x -> x.get(0).modulatedNorm(x.get(1), x.get(2), 1e-5), s(2, 3, 16), s(2, 1, 16), s(2, 1, 16)),
                of("rms norm, packs", x -> x.get(0).rmsNorm(x.get(1), 1e-6), s(3, 16), s(16)),
                of("rms norm of several warps, packs", x -> x.get(0).rmsNorm(x.get(1), 1e-6), s(2, 2064), s(2064)),
                of("channel norm, packs", x -> x.get(0).channelNorm(x.get(1)), s(2, 3, 2, 4, 2), s(3)),
                of("channel norm, silu, packs", x -> x.get(0).channelNormSilu(x.get(1)), s(2, 7, 3, 8), s(7)),
                of("rms norm, rope, packs", OpGradientTest::normalisedAndTurned, s(2, 3, 3, 16), s(48)),
                of("rms norm, rope", OpGradientTest::normalisedAndTurned, s(2, 3, 3, 4), s(12)),
                of("rms norm, rope, one pair", OpGradientTest::normalisedAndTurned, s(1, 1, 1, 2), s(2)),
                of("rms norm, rope, many rows", OpGradientTest::normalisedAndTurned, s(2, 19, 5, 14), s(70)));
    }

    private static Tensor normalisedAndTurned(List<Tensor> x) {
        var q = x.get(0);
        int length = (int) q.dim(1);
        int half = (int) q.dim(3) / 2;
        return q.rmsNormRope(x.get(1), 1e-2, angles(q, length, half, false), angles(q, length, half, true));
    }

    private static Tensor angles(Tensor like, int length, int half, boolean sine) {
        var values = new double[length * half];
        for (int i = 0; i < values.length; i++) values[i] = sine ? Math.sin(0.7 * i) : Math.cos(0.7 * i);
        return Tensor.of(like.backend(), values, length, half);
    }
}
