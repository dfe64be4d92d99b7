package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.Backend;
import otherwise.backend.Backend.Unary;
import otherwise.backend.ConvSpec;
import otherwise.backend.DType;
import otherwise.backend.MatmulSpec;
import otherwise.backend.Storage;
import otherwise.backend.cuda.Matmul.Tiling;
import otherwise.support.Close;
import otherwise.support.Emulated;
import otherwise.support.Reference;

/// Matrix products and convolutions of the kernels, on the processor, against plain loops in double; twice, for the same bits.
@EnabledIf("otherwise.support.Emulated#present")
class CudaProductsTest {
    private static final double LIMIT = 1e-5;
    private static final Backend EMULATED = Emulated.device(DType.F32).orElseThrow();

    /// The kernels once more, for those that no call of a backend reaches.
    private static final Driver DRIVER = new EmulatedDriver(0);
    private static final DevicePool POOL = new DevicePool(DRIVER);

    /// Inputs and results of one case on one device.
    private static final class Call {
        final Backend device;
        private final SplittableRandom random = new SplittableRandom(7);
        private final List<Storage> results = new ArrayList<>();

        Call(Backend device) {
            this.device = device;
        }

        Storage values(long n) {
            var storage = device.allocate(device.real(), n);
            device.upload(storage, floats(random, n));
            return storage;
        }

        /// What is noted here is compared.
        Storage result(Storage storage) {
            results.add(storage);
            return storage;
        }

        Storage result(long n) {
            return result(device.allocate(device.real(), n));
        }
    }

    private static double[] floats(SplittableRandom random, long n) {
        return random.doubles(n, -1, 1).map(v -> (float) v).toArray();
    }

    private static List<double[]> run(Backend device, Consumer<Call> body) {
        try (var _ = device.scope()) {
            var call = new Call(device);
            body.accept(call);
            return call.results.stream().map(storage -> {
                var v = new double[Math.toIntExact(storage.size())];
                device.download(storage, v);
                return v;
            }).toList();
        }
    }

    private static DynamicTest of(String name, Consumer<Call> body) {
        return DynamicTest.dynamicTest(name, () -> {
            try (var reference = new Reference()) {
                long used = EMULATED.memory().used();
                var expected = run(reference, body);
                var actual = run(EMULATED, body);
                var again = run(EMULATED, body);
                assertEquals(used, EMULATED.memory().used(), name + ": memory in use");
                for (int i = 0; i < expected.size(); i++) {
                    Close.check(name + ", result " + i, actual.get(i), expected.get(i), LIMIT);
                    assertArrayEquals(actual.get(i), again.get(i), name + ", result " + i + ": another run differs");
                }
            }
        });
    }

    // ---- matrix products -----------------------------------------------------------------------------------------------------------

    private static final long[][] SIZES = {
        {1, 1, 1}, {1, 5, 3}, {3, 49, 16}, {5, 1, 7}, {5, 33, 0}, {7, 13, 11}, {64, 64, 16}, {65, 130, 33}, {20, 31, 300}, {14, 50, 1537}
    };

    private static DynamicTest matmul(MatmulSpec s, boolean bias, boolean accumulate) {
        return of(s + (bias ? " bias" : "") + (accumulate ? " accumulate" : ""), c -> matmul(c, s, bias, accumulate));
    }

    private static void matmul(Call c, MatmulSpec s, boolean bias, boolean accumulate) {
        var a = c.values(s.strideA() * (s.batch() - 1) + s.m() * s.k());
        var b = c.values(s.strideB() * (s.batch() - 1) + s.k() * s.n());
        long size = s.batch() * s.m() * s.n();
        var y = accumulate ? c.result(c.values(size)) : c.result(size);
        c.device.matmul(y, a, b, bias ? c.values(s.n()) : null, s, accumulate);
    }

    /// Every way in which a product can be asked for.
    @TestFactory
    Stream<DynamicTest> matmuls() {
        return Stream.of(SIZES).flatMap(z -> IntStream.range(0, 8).mapToObj(v -> matmul(
                MatmulSpec.of(z[0], z[1], z[2], (v & 1) != 0, (v & 2) != 0), (v & 4) != 0, Integer.bitCount(v) % 2 != 0)));
    }

    @TestFactory
    Stream<DynamicTest> batches() {
        return Stream.of(3L, 70L).flatMap(m -> IntStream.range(0, 16).mapToObj(v -> matmul(
                new MatmulSpec(5, m, 19, 23, (v & 1) != 0, (v & 2) != 0, (v & 4) != 0 ? 0 : m * 23, (v & 8) != 0 ? 0 : 19 * 23),
                v % 3 == 0, v % 5 == 0)));
    }

    @TestFactory
    Stream<DynamicTest> splitBatches() {
        return Stream.of(matmul(new MatmulSpec(3, 5, 9, 1100, true, false, 5500, 9900), true, true),
                matmul(new MatmulSpec(3, 5, 9, 1100, false, true, 0, 9900), false, false));
    }

    @TestFactory
    Stream<DynamicTest> nothing() {
        return Stream.of(
                matmul(MatmulSpec.of(0, 5, 3, false, false), true, false), matmul(MatmulSpec.of(5, 0, 3, false, true), false, true),
                matmul(new MatmulSpec(0, 5, 4, 3, false, false, 0, 0), true, false));
    }

    /// What stands behind a product: f, a gate for every LENGTH rows, a sum.
    private record Behind(boolean bias, boolean x, boolean gate, Unary f) {
        static final long LENGTH = 19;

        static Behind of(int v) {
            var f = Arrays.asList(null, Unary.SILU, Unary.GELU, Unary.GELU_TANH).get(v % 3 == 0 ? 0 : 1 + v / 3 % 3);
            return new Behind((v & 4) != 0, (v & 8) != 0, v % 5 < 2, f);
        }
    }

    /// One thread an element gives what small and large tiles give; large ones no small result gets by itself.
    @TestFactory
    Stream<DynamicTest> tilesAgainstNaive() {
        assertEquals(Tiling.LARGE, Tiling.of(1, 4096, 4096, 5).height());
        var kernels = new Kernels(DRIVER, POOL, DType.F32);
        return IntStream.range(0, 16).mapToObj(v -> {
            var s = new MatmulSpec(2, 133, 71, v < 4 ? 300 : 21, (v & 1) != 0, (v & 2) != 0, 133L * (v < 4 ? 300 : 21), 0);
            var behind = Behind.of(v);
            return DynamicTest.dynamicTest(s + " " + behind, () -> {
                long used = POOL.memory().used();
                var small = direct(kernels, s, behind, Tiling.of(Tiling.SMALL, s.batch(), s.m(), s.n(), s.k()));
                var large = direct(kernels, s, behind, Tiling.of(Tiling.LARGE, s.batch(), s.m(), s.n(), s.k()));
                var naive = direct(kernels, s, behind, null);
                try (var reference = new Reference()) {
                    var expected = run(reference, c -> oneByOne(c, s, behind)).getFirst();
                    Close.check("small", small, expected, LIMIT);
                    Close.check("large", large, expected, LIMIT);
                    Close.check("naive", naive, expected, LIMIT);
                    Close.check("small against naive", small, naive, LIMIT);
                    Close.check("large against naive", large, naive, LIMIT);
                }
                assertEquals(used, POOL.memory().used());
            });
        });
    }

    private static void oneByOne(Call c, MatmulSpec s, Behind behind) {
        long rows = s.batch() * s.m();
        var a = c.values(s.strideA() * (s.batch() - 1) + s.m() * s.k());
        var b = c.values(s.strideB() * (s.batch() - 1) + s.k() * s.n());
        var x = c.values(rows * s.n());
        var bias = c.values(s.n());
        var gate = c.values(rows / Behind.LENGTH * s.n());
        if (!behind.x) c.device.fill(x, 0);
        if (!behind.gate) c.device.fill(gate, 1);
        var y = c.result(rows * s.n());
        c.device.matmul(y, a, b, behind.bias ? bias : null, s, false);
        if (behind.f != null) c.device.unary(behind.f, y, y);
        c.device.gatedAdd(y, x, gate, y, rows / Behind.LENGTH, Behind.LENGTH, s.n());
    }

    /// With the same numbers; y begins as x. Without a tiling, naive.
    private static double[] direct(Kernels kernels, MatmulSpec s, Behind behind, Tiling tiling) {
        var random = new SplittableRandom(7);
        long rows = s.batch() * s.m();
        try (var a = scratch(kernels, random, s.strideA() * (s.batch() - 1) + s.m() * s.k());
                var b = scratch(kernels, random, s.strideB() * (s.batch() - 1) + s.k() * s.n());
                var y = scratch(kernels, random, rows * s.n());
                var bias = scratch(kernels, random, s.n());
                var gate = scratch(kernels, random, rows / Behind.LENGTH * s.n())) {
            var epilogue = new Epilogue(behind.bias ? bias.storage() : null, null, behind.x ? y.storage() : null,
                    behind.gate ? gate.storage() : null, Behind.LENGTH, behind.f);
            var matmul = new Matmul(kernels);
            if (tiling == null) matmul.naive(y.storage(), a.storage(), b.storage(), epilogue, s);
            else matmul.matmul(y.storage(), a.storage(), b.storage(), epilogue, s, tiling);
            var found = new float[Math.toIntExact(y.storage().size())];
            DRIVER.toHost(MemorySegment.ofArray(found), y.storage().address());
            return IntStream.range(0, found.length).mapToDouble(i -> found[i]).toArray();
        }
    }

    private static Kernels.Scratch scratch(Kernels kernels, SplittableRandom random, long n) {
        var values = floats(random, n);
        var single = new float[values.length];
        for (int i = 0; i < single.length; i++) single[i] = (float) values[i];
        var made = kernels.scratch(DType.F32, n);
        DRIVER.toDevice(made.storage().address(), MemorySegment.ofArray(single));
        return made;
    }

    // ---- convolutions --------------------------------------------------------------------------------------------------------------

    private static final List<ConvSpec> CONVOLUTIONS = List.of(
            new ConvSpec(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0), // the least
            new ConvSpec(2, 3, 8, 5, 7, 6, 3, 3, 3, 1, 1, 1, 2, 0, 1, 1, 1, 1), // causal
            new ConvSpec(1, 5, 13, 4, 9, 65, 1, 3, 3, 1, 1, 1, 0, 0, 1, 1, 1, 1), // pictures, rows longer than a tile
            new ConvSpec(2, 9, 3, 3, 5, 4, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0), // no neighbours
            new ConvSpec(1, 70, 67, 2, 5, 7, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0), // channels beyond a tile
            new ConvSpec(1, 4, 9, 6, 3, 20, 3, 1, 1, 1, 1, 1, 2, 0, 0, 0, 0, 0), // along time only
            new ConvSpec(1, 3, 4, 1, 4, 5, 3, 3, 3, 1, 1, 1, 2, 0, 1, 1, 1, 1), // a kernel longer than time
            new ConvSpec(2, 8, 8, 2, 9, 11, 1, 3, 3, 1, 2, 2, 0, 0, 0, 1, 0, 1), // stride 2, padded behind
            new ConvSpec(1, 17, 10, 7, 4, 5, 3, 1, 1, 2, 1, 1, 1, 1, 0, 0, 0, 0), // stride in time
            new ConvSpec(1, 4, 21, 2, 8, 6, 1, 2, 2, 1, 2, 2, 0, 0, 0, 0, 0, 0), // patches
            new ConvSpec(2, 3, 5, 5, 9, 10, 2, 4, 4, 2, 4, 4, 0, 0, 0, 0, 0, 0), // patches, with a rest
            new ConvSpec(1, 2, 3, 5, 7, 8, 1, 2, 1, 3, 1, 2, 0, 0, 0, 0, 0, 0), // strides beyond the kernel
            new ConvSpec(1, 2, 3, 6, 8, 9, 2, 3, 4, 3, 2, 3, 4, 1, 2, 3, 5, 0), // everything uneven, more padding than kernel
            new ConvSpec(1, 24, 17, 3, 5, 4, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1), // sums long enough to split
            new ConvSpec(3, 7, 6, 4, 9, 10, 3, 3, 3, 1, 1, 1, 2, 0, 1, 1, 1, 1)); // many positions

    @TestFactory
    Stream<DynamicTest> convolutions() {
        return IntStream.range(0, CONVOLUTIONS.size()).mapToObj(i -> of(CONVOLUTIONS.get(i).toString(), c -> {
            var s = CONVOLUTIONS.get(i);
            boolean bias = i % 2 == 0;
            long pixels = s.outT() * s.outH() * s.outW();
            var x = c.values(s.batch() * s.inputs() * s.t() * s.h() * s.w());
            var weight = c.values(s.outputs() * s.taps());
            var dy = c.values(s.batch() * s.outputs() * pixels);
            c.device.conv3d(c.result(dy.size()), x, weight, bias ? c.values(s.outputs()) : null, s);
            c.device.conv3dToInput(c.result(x.size()), dy, weight, s);
            c.device.conv3dToWeight(c.result(weight.size()), bias ? c.result(s.outputs()) : null, dy, x, s);
        }));
    }

    /// A bias whose sum is split, and an empty batch.
    @TestFactory
    Stream<DynamicTest> positions() {
        return Stream.of(
                new ConvSpec(2, 1, 2, 1, 50, 60, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0),
                new ConvSpec(0, 2, 3, 2, 4, 5, 1, 3, 3, 1, 1, 1, 0, 0, 1, 1, 1, 1))
                .map(s -> of(s.toString(), c -> c.device.conv3dToWeight(
                        c.result(s.outputs() * s.taps()), c.result(s.outputs()),
                        c.values(s.batch() * s.outputs() * s.outT() * s.outH() * s.outW()),
                        c.values(s.batch() * s.inputs() * s.t() * s.h() * s.w()), s)));
    }

    /// Parts are whole, none is empty, and they are as many as the device can use.
    @Test
    void tiling() {
        for (long terms = 0; terms < 5000; terms += 37)
            for (long columns = 1; columns < 3000; columns += 371) {
                var t = Tiling.of(1, 100, columns, terms);
                assertTrue(t.parts() * t.stretch() >= terms);
                assertTrue(t.parts() == 1 || (t.parts() - 1) * t.stretch() < terms);
                assertEquals(0, t.stretch() % 16);
            }
        assertTrue(Tiling.of(1, 96, 96, 1_000_000).parts() > 32);
        assertEquals(1, Tiling.of(1, 4096, 4096, 4096).parts());
    }
}
