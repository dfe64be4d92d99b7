package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.Backend.Binary;
import otherwise.backend.Backend.Reduction;
import otherwise.backend.Backend.Unary;
import otherwise.backend.DType;
import otherwise.backend.Storage;
import otherwise.support.Close;

/// Kernels that move 16 bytes at once: they do where all operands are aligned and widths have whole packs, they do not elsewhere, and what
/// they compute is the same.
///
/// Operands begin at the second element of their memory, all of them or each by itself: so what the host forgets to look at would be 16 bytes
/// that are not aligned, which the emulated device refuses. That results are right is tested elsewhere, in packs and without.
@EnabledIf("otherwise.support.Emulated#present")
class PacksTest {
    /// Roundings of the type in sums of another order.
    private static final double F32 = 2e-6;
    private static final double BF16 = 1e-2;

    private static final List<String> LAUNCHED = new ArrayList<>();
    private static final Driver DRIVER = Noting.withArguments(new EmulatedDriver(0), LAUNCHED);
    private static final DevicePool POOL = new DevicePool(DRIVER);

    @AfterAll
    static void close() {
        POOL.close();
        DRIVER.close();
    }

    /// Which operands begin at an address that is no multiple of 16.
    private record Layout(String name, int from, int to) {
        static final Layout ALIGNED = new Layout("aligned", 0, 0);
        static final Layout SHIFTED = new Layout("shifted", 0, Integer.MAX_VALUE);

        static Layout only(int operand) {
            return new Layout("operand " + operand + " shifted", operand, operand + 1);
        }

        boolean shifts(int operand) {
            return operand >= from && operand < to;
        }
    }

    /// An operation being run: makes its operands, and notes which are results.
    private static final class Call {
        final Kernels kernels;
        final Layout layout;
        final SplittableRandom random = new SplittableRandom(5);
        final List<CudaStorage> operands = new ArrayList<>();
        final List<CudaStorage> results = new ArrayList<>();

        Call(DType real, Layout layout) {
            kernels = new Kernels(DRIVER, POOL, real);
            this.layout = layout;
        }

        private CudaStorage operand(DType type, long n) {
            int shift = layout.shifts(operands.size()) ? 1 : 0;
            var whole = new CudaStorage(type, n + shift, POOL.take((n + shift) * type.bytes()), POOL);
            operands.add(whole);
            return (CudaStorage) whole.slice(shift, n);
        }

        /// Numbers of 8 bits from −2 to 2, or from 1/64 to 2.
        private CudaStorage numbers(DType type, long n, int least) {
            var x = operand(type, n);
            var floats = new float[(int) n];
            var halves = new short[(int) n];
            for (int i = 0; i < n; i++) {
                floats[i] = random.nextInt(least, 129) / 64f;
                halves[i] = (short) (Float.floatToRawIntBits(floats[i]) >>> 16);
            }
            DRIVER.toDevice(x.address(), type == DType.F32 ? MemorySegment.ofArray(floats) : MemorySegment.ofArray(halves));
            return x;
        }

        Storage of(long n) {
            return numbers(kernels.real(), n, -128);
        }

        /// Floats whatever the type, such as 1/σ of n rows.
        Storage scales(long n) {
            return numbers(DType.F32, n, 1);
        }

        private Storage result(DType type, long n) {
            var y = operand(type, n);
            results.add(y);
            return y;
        }

        Storage result(long n) {
            return result(kernels.real(), n);
        }

        /// Results that are floats whatever the type.
        Storage floats(long n) {
            return result(DType.F32, n);
        }

        Storage changed(Storage operand) {
            results.add((CudaStorage) operand);
            return operand;
        }

        Storage positive(long n) {
            return numbers(kernels.real(), n, 1);
        }

        Elementwise elementwise() {
            return new Elementwise(kernels);
        }

        Rows rows() {
            return new Rows(kernels);
        }

        private List<double[]> run(Consumer<Call> body) {
            LAUNCHED.clear();
            body.accept(this);
            var values = results.stream().map(Call::read).toList();
            for (var operand : operands) operand.release();
            return values;
        }

        private static double[] read(CudaStorage x) {
            int n = (int) x.size();
            var values = new double[n];
            if (x.type() == DType.F32) {
                var floats = new float[n];
                DRIVER.toHost(MemorySegment.ofArray(floats), x.address());
                for (int i = 0; i < n; i++) values[i] = floats[i];
            } else {
                var halves = new short[n];
                DRIVER.toHost(MemorySegment.ofArray(halves), x.address());
                for (int i = 0; i < n; i++) values[i] = Float.intBitsToFloat(halves[i] << 16);
            }
            return values;
        }
    }

    /// Whether the first launch had packs: kernels are told last how many elements of a pack; copies have a kernel of their own.
    private static boolean inPacks(DType real) {
        var first = LAUNCHED.getFirst();
        return first.startsWith("copy_16:") || first.endsWith(" " + 16 / real.bytes());
    }

    /// @param sums whether results may differ by their order
    private static Stream<DynamicTest> of(String name, boolean sums, Consumer<Call> body) {
        return Stream.of(DType.F32, DType.BF16).map(real -> DynamicTest.dynamicTest(name + " " + real, () -> {
            double limit = !sums ? 0 : real == DType.F32 ? F32 : BF16;
            var aligned = new Call(real, Layout.ALIGNED);
            var expected = aligned.run(body);
            assertTrue(inPacks(real), () -> "not in packs: " + LAUNCHED);
            check(name, new Call(real, Layout.SHIFTED).run(body), expected, limit);
            assertFalse(inPacks(real), () -> "in packs: " + LAUNCHED);
            for (int i = 0; i < aligned.operands.size(); i++) {
                var layout = Layout.only(i);
                check(name + ", " + layout.name, new Call(real, layout).run(body), expected, limit);
            }
        }));
    }

    private static void check(String what, List<double[]> actual, List<double[]> expected, double limit) {
        for (int i = 0; i < expected.size(); i++) Close.check(what + ", result " + i, actual.get(i), expected.get(i), limit);
    }

    private static long[] by(long... strides) {
        return strides;
    }

    @TestFactory
    Stream<DynamicTest> elementwise() {
        long n = 8 * 257;
        return Stream.of(
                of("unary", false, c -> c.elementwise().unary(Unary.GELU_TANH, c.result(n), c.of(n))),
                of("unary backward", false, c -> c.elementwise().unaryBackward(Unary.SILU, c.result(n), c.of(n), c.of(n))),
                of("affine", false, c -> c.elementwise().affine(c.result(n), c.of(n), 0.3, 1)),
                of("axpy", false, c -> c.elementwise().axpy(c.changed(c.of(n)), 0.3, c.of(n))),
                of("adamW", false, c -> c.elementwise().adamW(
                        c.changed(c.of(n)), c.changed(c.scales(n)), c.changed(c.scales(n)), c.of(n), 0.1, 0.9, 0.99, 1e-8, 0.1, 3)))
                .flatMap(tests -> tests);
    }

    @TestFactory
    Stream<DynamicTest> binary() {
        return Stream.of(
                of("same shapes", false, c -> c.elementwise().binary(
                        Binary.ADD, c.result(7 * 40), c.of(7 * 40), by(40, 1), c.of(7 * 40), by(40, 1), by(7, 40))),
                of("a row", false, c -> c.elementwise().binary(
                        Binary.MUL, c.result(7 * 40), c.of(7 * 40), by(40, 1), c.of(40), by(0, 1), by(7, 40))),
                of("a column", false, c -> c.elementwise().binary(
                        Binary.SUB, c.result(7 * 40), c.of(7), by(1, 0), c.of(7 * 40), by(40, 1), by(7, 40))),
                of("a number", false, c -> c.elementwise().binary(
                        Binary.DIV, c.result(7 * 40), c.of(7 * 40), by(40, 1), c.positive(1), by(0, 0), by(7, 40))))
                .flatMap(tests -> tests);
    }

    @TestFactory
    Stream<DynamicTest> moving() {
        return Stream.of(
                of("copy of a part", false, c -> new Movement(c.kernels).copy(
                        c.result(3 * 5 * 32), 0, by(160, 32, 1), c.of(3 * 5 * 64), 16, by(64, 192, 1), by(3, 5, 32))),
                of("upsample", false, c -> new Spatial(c.kernels).upsample2x(c.result(4 * 2 * 3 * 16), c.of(2 * 3 * 16), 2, 3, 16)),
                of("upsample backward", false, c -> new Spatial(c.kernels).upsample2xBackward(
                        c.result(2 * 3 * 16), c.of(4 * 2 * 3 * 16), 2, 3, 16)),
                of("sum along rows", true,
                        c -> new Reductions(c.kernels).reduce(Reduction.SUM, c.result(3), c.positive(3 * 5000), 3, 5000, 1)),
                of("sum along columns", false, c -> new Reductions(c.kernels).reduce(
                        Reduction.SUM, c.result(2 * 40), c.of(2 * 300 * 40), 2, 300, 40)),
                of("maximum", false, c -> new Reductions(c.kernels).reduce(Reduction.MAX, c.result(3), c.of(3 * 5000), 3, 5000, 1)))
                .flatMap(tests -> tests);
    }

    /// Samples, rows of each, and widths: of a warp, of several, and of more than a block keeps in registers.
    private static final long[][] SAMPLES = {{2, 5, 64}, {1, 3, 1536}, {1, 2, 20_000}};

    @TestFactory
    Stream<DynamicTest> rows() {
        return Stream.of(SAMPLES).flatMap(s -> {
            long rows = s[0] * s[1];
            long c = s[2];
            long n = rows * c;
            long of = s[0] * c;
            var by = " of " + c;
            return Stream.of(
                    of("softmax" + by, true, o -> o.rows().softmax(o.result(n), o.of(n), rows, c)),
                    of("softmax backward" + by, true, o -> o.rows().softmaxBackward(o.result(n), o.of(n), o.of(n), rows, c)),
                    of("log-softmax" + by, true, o -> o.rows().logSoftmax(o.result(n), o.of(n), rows, c)),
                    of("log-softmax backward" + by, true, o -> o.rows().logSoftmaxBackward(o.result(n), o.of(n), o.of(n), rows, c)),
                    of("layer norm" + by, true, o -> o.rows().layerNorm(
                            o.result(n), o.floats(rows), o.floats(rows), o.of(n), o.of(c), o.of(c), 1e-2, rows, c)),
                    of("layer norm, plain" + by, true, o -> o.rows().layerNorm(
                            o.result(n), o.floats(rows), o.floats(rows), o.of(n), null, null, 1e-2, rows, c)),
                    of("modulated norm" + by, true, o -> o.rows().modulatedNorm(
                            o.result(n), o.floats(rows), o.floats(rows), o.of(n), o.of(of), o.of(of), 1e-2, s[0], s[1], c)),
                    of("modulated norm to input" + by, true, o -> o.rows().modulatedNormBackward(
                            o.result(n), null, null, o.of(n), o.of(n), o.scales(rows), o.scales(rows), o.of(of), s[0], s[1], c)),
                    of("RMS norm" + by, true, o -> o.rows().rmsNorm(o.result(n), o.floats(rows), o.of(n), o.of(c), 1e-2, rows, c)),
                    of("RMS norm to input" + by, true, o -> o.rows().rmsNormBackward(
                            o.result(n), null, o.of(n), o.of(n), o.scales(rows), o.of(c), rows, c)),
                    of("gated sum" + by, false, o -> o.rows().gatedAdd(o.result(n), o.of(n), o.of(of), o.of(n), o.of(c), s[0], s[1], c)),
                    of("gated sum backward" + by, false, o -> o.rows().gatedAddBackward(
                            o.result(n), null, o.of(n), o.of(of), null, s[0], s[1], c)))
                    .flatMap(tests -> tests);
        });
    }

    /// Samples, tokens, heads and their widths.
    private static final long[][] HEADS = {{2, 3, 3, 16}, {1, 2, 12, 128}, {1, 2, 160, 128}};

    @TestFactory
    Stream<DynamicTest> rmsNormsTurned() {
        return Stream.of(HEADS).flatMap(s -> {
            long rows = s[0] * s[1];
            long c = s[2] * s[3];
            long angles = s[1] * s[3] / 2;
            return Stream.of(
                    of("RMS norm, rope " + c, true, o -> o.rows().rmsNormRope(
                            o.result(rows * c), o.floats(rows), o.of(rows * c), o.of(c), o.of(angles), o.of(angles), 1e-2, s[0], s[1], s[2],
                            s[3])),
                    of("RMS norm, rope to input " + c, true, o -> o.rows().rmsNormRopeBackward(
                            o.result(rows * c), null, o.of(rows * c), o.of(rows * c), o.scales(rows), o.of(c), o.of(angles), o.of(angles),
                            s[0], s[1], s[2], s[3])))
                    .flatMap(tests -> tests);
        });
    }

    /// Pictures, channels and pixels: among them more channels than a block keeps in registers, and tiles that end in the next picture.
    private static final long[][] PICTURES = {{2, 96, 48}, {3, 5, 200}, {1, 400, 16}};

    @TestFactory
    Stream<DynamicTest> channelNorms() {
        return Stream.of(PICTURES).flatMap(s -> Stream.of(false, true).flatMap(silu -> {
            long n = s[0] * s[1] * s[2];
            long pixels = s[0] * s[2];
            var of = " of " + s[1] + (silu ? ", SiLU" : "");
            return Stream.of(
                    of("channel norm" + of, true, o -> o.rows().channelNorm(
                            o.result(n), o.floats(pixels), o.of(n), o.of(s[1]), silu, s[0], s[1], s[2])),
                    of("channel norm to input" + of, true, o -> o.rows().channelNormBackward(
                            o.result(n), null, o.of(n), o.of(n), o.scales(pixels), o.of(s[1]), silu, s[0], s[1], s[2])))
                    .flatMap(tests -> tests);
        }));
    }

    /// Rows that do not all begin at multiples of 16 bytes, though the first does.
    @Test
    void oddStrides() {
        for (var real : new DType[] {DType.F32, DType.BF16}) {
            new Call(real, Layout.ALIGNED).run(c -> c.elementwise().binary(
                    Binary.ADD, c.result(7 * 40), c.of(7 * 42), by(42, 1), c.of(7 * 40), by(40, 1), by(7, 40)));
            assertFalse(inPacks(real), () -> "in packs: " + LAUNCHED);
            new Call(real, Layout.ALIGNED).run(c -> new Movement(c.kernels).copy(
                    c.changed(c.of(7 * 42)), 0, by(42, 1), c.of(7 * 40), 0, by(40, 1), by(7, 40)));
            assertFalse(inPacks(real), () -> "in packs: " + LAUNCHED);
        }
    }

    /// Widths that packs do not go into, with everything aligned.
    @Test
    void oddWidths() {
        for (var real : new DType[] {DType.F32, DType.BF16}) {
            var kernels = new Kernels(DRIVER, POOL, real);
            int pack = 16 / real.bytes();
            assertEquals(pack, kernels.pack(5L * pack));
            for (int odd = 1; odd < pack; odd++) assertEquals(1, kernels.pack(5L * pack + odd));
            new Call(real, Layout.ALIGNED).run(c -> c.rows().softmax(c.result(3 * 1537), c.of(3 * 1537), 3, 1537));
            assertFalse(inPacks(real), () -> "in packs: " + LAUNCHED);
            // Heads whose pairs a pack would mix.
            new Call(real, Layout.ALIGNED).run(c -> c.rows().rmsNormRope(
                    c.result(2 * 4 * 6), c.floats(2), c.of(2 * 4 * 6), c.of(4 * 6), c.of(2 * 3), c.of(2 * 3), 1e-2, 1, 2, 4, 6));
            assertFalse(inPacks(real), () -> "in packs: " + LAUNCHED);
        }
    }
}
