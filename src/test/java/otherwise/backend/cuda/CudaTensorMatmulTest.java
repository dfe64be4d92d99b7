package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.Backend.Unary;
import otherwise.backend.Backends;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.MatmulSpec;
import otherwise.backend.cuda.TensorMatmul.Tile;
import otherwise.support.Close;

/// Matrix products on emulated tensor cores against sums in double of what tensor cores see of the inputs, and which products are for them.
@EnabledIf("otherwise.support.Emulated#present")
class CudaTensorMatmulTest {
    /// One rounding of the result, or sums in float of rounded floats.
    private static final double BF16 = 5e-3;
    private static final double TF32 = 2e-6;

    private static final Driver EMULATED = new EmulatedDriver(0);
    private static final List<String> LAUNCHED = new ArrayList<>();
    private static final Driver DRIVER = Noting.driver(EMULATED, LAUNCHED);
    private static final DevicePool POOL = new DevicePool(DRIVER);

    private static Kernels kernels(DType real) {
        return new Kernels(DRIVER, POOL, real, real == DType.F32);
    }

    /// One product: its inputs, as the device stores them.
    private static final class Case {
        final DType real;
        final MatmulSpec s;
        final float[] a;
        final float[] b;
        final float[] bias;
        final float[] old;

        Case(DType real, MatmulSpec s, boolean bias, boolean accumulate) {
            this.real = real;
            this.s = s;
            var random = new SplittableRandom(s.hashCode());
            a = numbers(random, s.strideA() * (s.batch() - 1) + s.m() * s.k());
            b = numbers(random, s.strideB() * (s.batch() - 1) + s.k() * s.n());
            this.bias = bias ? numbers(random, s.n()) : null;
            old = accumulate ? numbers(random, s.batch() * s.m() * s.n()) : null;
        }

        private float[] numbers(SplittableRandom random, long n) {
            var values = new float[Math.toIntExact(n)];
            for (int i = 0; i < n; i++) {
                float v = (float) random.nextDouble(-1, 1);
                values[i] = real == DType.F32 ? v : Float.intBitsToFloat(shortened(v) << 16);
            }
            return values;
        }

        private static int shortened(float v) {
            int bits = Float.floatToRawIntBits(v);
            return bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
        }

        private Kernels.Scratch upload(Kernels kernels, float[] values) {
            var made = kernels.scratch(real, values.length);
            var shorts = new short[values.length];
            for (int i = 0; i < shorts.length; i++) shorts[i] = (short) shortened(values[i]);
            DRIVER.toDevice(made.storage().address(), real == DType.F32 ? MemorySegment.ofArray(values) : MemorySegment.ofArray(shorts));
            return made;
        }

        /// What the device says.
        ///
        /// @param tile by which tiles; without them as it chooses
        double[] computed(Optional<Tile> tile) {
            var kernels = kernels(real);
            var matmul = new Matmul(kernels);
            int size = Math.toIntExact(s.batch() * s.m() * s.n());
            try (var x = upload(kernels, a);
                    var w = upload(kernels, b);
                    var c = bias == null ? null : upload(kernels, bias);
                    var y = old == null ? kernels.scratch(real, size) : upload(kernels, old)) {
                LAUNCHED.clear();
                var given = c == null ? null : c.storage();
                if (tile.isEmpty()) matmul.matmul(y.storage(), x.storage(), w.storage(), given, s, old != null);
                else
                    matmul.matmul(y.storage(), x.storage(), w.storage(), Epilogue.of(given, old == null ? null : y.storage()), s,
                            tile.get());
                return read(y.storage());
            }
        }

        /// What it should say: of floats, tensor cores see 10 bits of the fraction, rounded to nearest.
        double[] expected() {
            int m = (int) s.m();
            int n = (int) s.n();
            int k = (int) s.k();
            var y = new double[(int) s.batch() * m * n];
            for (int e = 0; e < y.length; e++) {
                int i = e / n % m;
                int j = e % n;
                int fromA = (int) s.strideA() * (e / n / m);
                int fromB = (int) s.strideB() * (e / n / m);
                for (int t = 0; t < k; t++) {
                    float u = a[fromA + (s.transposeA() ? t * m + i : i * k + t)];
                    float v = b[fromB + (s.transposeB() ? j * k + t : t * n + j)];
                    y[e] += seen(u) * seen(v);
                }
                if (bias != null) y[e] += bias[j];
                if (old != null) y[e] += old[e];
            }
            return y;
        }

        private static double seen(float v) {
            return Float.intBitsToFloat(Float.floatToRawIntBits(v) + 0x1000 & 0xffffe000);
        }

        /// A function behind the sums, which are kept, is what it is of the expected sums.
        DynamicTest then(Unary f, DoubleUnaryOperator function) {
            return DynamicTest.dynamicTest(real + " " + s + " " + f, () -> {
                var kernels = kernels(real);
                int size = Math.toIntExact(s.batch() * s.m() * s.n());
                try (var x = upload(kernels, a);
                        var w = upload(kernels, b);
                        var c = upload(kernels, bias);
                        var y = kernels.scratch(real, size);
                        var sums = kernels.scratch(real, size)) {
                    LAUNCHED.clear();
                    assertTrue(new Matmul(kernels).matmulThen(f, y.storage(), sums.storage(), x.storage(), w.storage(), c.storage(), s));
                    assertTrue(LAUNCHED.contains("matmul_tensor_64"), LAUNCHED.toString());
                    double limit = real == DType.F32 ? TF32 : BF16;
                    Close.check("sums", read(sums.storage()), expected(), limit);
                    Close.check("f", read(y.storage()), Arrays.stream(expected()).map(function).toArray(), limit);
                }
            });
        }

        /// Gated, samples of `length` rows each, and added to what there was; with the sums kept and without.
        DynamicTest onto(long length, boolean gated) {
            return DynamicTest.dynamicTest(real + " " + s + (gated ? " gated by " + length : "") + " onto", () -> {
                var kernels = kernels(real);
                var random = new SplittableRandom(8);
                int n = Math.toIntExact(s.n());
                var x = numbers(random, s.m() * n);
                var gate = numbers(random, s.m() / length * n);
                var spec = new MatmulSpec(s.m() / length, length, n, s.k(), false, s.transposeB(), length * s.k(), 0);
                var expected = expected();
                var sum = expected.clone();
                for (int e = 0; e < sum.length; e++) sum[e] = x[e] + (gated ? gate[e / n / (int) length * n + e % n] : 1) * sum[e];
                try (var u = upload(kernels, a);
                        var w = upload(kernels, b);
                        var c = upload(kernels, bias);
                        var before = upload(kernels, x);
                        var g = upload(kernels, gate);
                        var y = kernels.scratch(real, x.length);
                        var sums = kernels.scratch(real, x.length)) {
                    double limit = real == DType.F32 ? TF32 : BF16;
                    for (var kept : gated ? Arrays.asList(sums.storage(), null) : Collections.<CudaStorage>singletonList(null)) {
                        LAUNCHED.clear();
                        assertTrue(new Matmul(kernels).matmulOnto(y.storage(), kept, before.storage(), gated ? g.storage() : null,
                                u.storage(), w.storage(), c.storage(), spec));
                        assertTrue(LAUNCHED.contains("matmul_tensor_64"), LAUNCHED.toString());
                        if (kept != null) Close.check("sums", read(kept), expected, limit);
                        Close.check("y", read(y.storage()), sum, limit);
                    }
                }
            });
        }

        private double[] read(CudaStorage x) {
            var floats = new float[(int) x.size()];
            var shorts = new short[floats.length];
            DRIVER.toHost(real == DType.F32 ? MemorySegment.ofArray(floats) : MemorySegment.ofArray(shorts), x.address());
            return IntStream.range(0, floats.length)
                    .mapToDouble(i -> real == DType.F32 ? floats[i] : Float.intBitsToFloat(shorts[i] << 16)).toArray();
        }

        DynamicTest test(Optional<Tile> tile, String... launches) {
            var name = real + " " + s + (bias == null ? "" : " bias") + (old == null ? "" : " accumulate");
            return DynamicTest.dynamicTest(name, () -> {
                long used = POOL.memory().used();
                var found = computed(tile);
                assertEquals(List.of(launches), LAUNCHED);
                Close.check(name, found, expected(), real == DType.F32 ? TF32 : BF16);
                if (tile.isEmpty()) assertArrayEquals(found, computed(tile), name + ": another run differs");
                assertEquals(used, POOL.memory().used());
            });
        }
    }

    private static Stream<DType> types() {
        return Stream.of(DType.BF16, DType.F32);
    }

    /// The next size that an operand may have along its rows.
    private static long whole(long size) {
        return Math.ceilDiv(size, 8) * 8;
    }

    /// Odd sizes, as far as the way that the operands lie allows, by every kind of tile, more than one each way.
    @TestFactory
    Stream<DynamicTest> everyWayToLie() {
        return types().flatMap(real -> Stream.of(Tile.values()).flatMap(tile -> IntStream.range(0, 4).mapToObj(v -> {
            boolean transposeA = (v & 1) != 0;
            boolean transposeB = (v & 2) != 0;
            long m = tile == Tile.SMALL ? 69 : 131;
            long n = tile == Tile.LARGE ? 261 : tile == Tile.SMALL ? 131 : 133;
            long k = 77;
            if (transposeA) m = whole(m);
            if (!transposeB) n = whole(n);
            if (!transposeA || transposeB) k = whole(k);
            long batch = 1L + v % 2;
            var s = new MatmulSpec(batch, m, n, k, transposeA, transposeB, m * k, tile == Tile.SMALL ? n * k : 0);
            var kernel = "matmul_tensor_" + (tile == Tile.LARGE ? 256 : tile == Tile.MEDIUM ? 128 : 64);
            return new Case(real, s, v != 1, v > 1).test(Optional.of(tile), kernel);
        })));
    }

    /// As a backend is asked for them: long sums in parts, rows of tiles beyond a group, and edges of every kind.
    @TestFactory
    Stream<DynamicTest> asChosen() {
        return types().flatMap(real -> Stream.of(
                new Case(real, MatmulSpec.of(17, 19, 1048, false, true), true, true)
                        .test(Optional.empty(), "matmul_tensor_64", "matmul_add"),
                new Case(real, new MatmulSpec(3, 16, 24, 523, true, false, 16 * 523, 24 * 523), false, false)
                        .test(Optional.empty(), "matmul_tensor_64", "matmul_add"),
                new Case(real, MatmulSpec.of(64 * 18 + 1, 72, 24, false, false), true, false).test(Optional.empty(), "matmul_tensor_64"),
                new Case(real, MatmulSpec.of(16, 16, 16, true, true), false, true).test(Optional.empty(), "matmul_tensor_64")));
    }

    /// Whole rows and ragged ones, one part and several.
    @TestFactory
    Stream<DynamicTest> functionsBehindTheSums() {
        return types().flatMap(real -> Stream.of(
                new Case(real, MatmulSpec.of(33, 72, 40, false, true), true, false).then(Unary.SILU, v -> v / (1 + Math.exp(-v))),
                new Case(real, MatmulSpec.of(20, 35, 40, false, true), true, false).then(Unary.GELU_TANH,
                        v -> v / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (v + 0.044715 * v * v * v)))),
                new Case(real, MatmulSpec.of(17, 19, 1048, false, true), true, false).then(Unary.SILU, v -> v / (1 + Math.exp(-v)))));
    }

    /// Whole rows and ragged ones, tiles with rows of several samples, one part and several.
    @TestFactory
    Stream<DynamicTest> intoSums() {
        return types().flatMap(real -> Stream.of(
                new Case(real, MatmulSpec.of(66, 72, 40, false, true), true, false).onto(22, true),
                new Case(real, MatmulSpec.of(66, 72, 40, false, true), true, false).onto(66, false),
                new Case(real, MatmulSpec.of(20, 35, 40, false, true), true, false).onto(5, true),
                new Case(real, MatmulSpec.of(18, 19, 1048, false, true), true, false).onto(9, true)));
    }

    /// What is not aligned, short, or of floats that nobody gave up digits of goes to the kernels of matmul.cu.
    @TestFactory
    Stream<DynamicTest> otherwiseByOtherKernels() {
        return Stream.of(
                new Case(DType.BF16, MatmulSpec.of(33, 40, 29, false, true), true, false).test(Optional.empty(), "matmul_64"),
                new Case(DType.BF16, MatmulSpec.of(33, 40, 15, true, false), false, false).test(Optional.empty(), "matmul_64"));
    }

    /// A view may begin anywhere; copies of 16 bytes may not.
    @Test
    void addressesThatAreNotAligned() {
        var kernels = kernels(DType.BF16);
        var s = MatmulSpec.of(16, 16, 16, false, true);
        try (var all = kernels.scratch(DType.BF16, 520);
                var y = kernels.scratch(DType.BF16, 256)) {
            DRIVER.toDevice(all.storage().address(), MemorySegment.ofArray(new short[520]));
            LAUNCHED.clear();
            new Matmul(kernels).matmul(y.storage(), all.storage().slice(1, 256), all.storage().slice(264, 256), null, s, false);
            new Matmul(kernels).matmul(y.storage(), all.storage().slice(0, 256), all.storage().slice(264, 256), null, s, false);
            // Of whole rows, what is read beside them counts too.
            var aligned = all.storage().slice(264, 256);
            new Matmul(kernels).matmulOnto(y.storage(), null, all.storage().slice(1, 256), null, aligned, aligned, null, s);
            var ragged = MatmulSpec.of(16, 17, 16, false, true);
            var longer = all.storage().slice(0, 272);
            try (var z = kernels.scratch(DType.BF16, 272)) {
                new Matmul(kernels).matmulOnto(z.storage(), null, all.storage().slice(1, 272), null, aligned, longer, null, ragged);
            }
            assertEquals(List.of("matmul_64", "matmul_tensor_64", "matmul_64", "matmul_tensor_64"), LAUNCHED);
        }
    }

    @Test
    void whichProductsAreForTensorCores() {
        var bf16 = new TensorMatmul(kernels(DType.BF16));
        var tf32 = new TensorMatmul(kernels(DType.F32));
        var f32 = new TensorMatmul(new Kernels(DRIVER, POOL, DType.F32));
        // rows of a, columns of b: not where they lie across
        assertTrue(bf16.tile(MatmulSpec.of(33, 41, 32, false, true)).isPresent());
        assertTrue(bf16.tile(MatmulSpec.of(33, 48, 32, false, false)).isPresent());
        assertTrue(bf16.tile(MatmulSpec.of(33, 41, 32, false, false)).isEmpty());
        assertTrue(bf16.tile(MatmulSpec.of(33, 40, 33, true, false)).isEmpty());
        assertTrue(bf16.tile(MatmulSpec.of(40, 40, 33, true, false)).isPresent());
        assertTrue(bf16.tile(MatmulSpec.of(33, 41, 36, false, true)).isEmpty());
        assertTrue(tf32.tile(MatmulSpec.of(33, 41, 36, false, true)).isPresent());
        assertTrue(tf32.tile(MatmulSpec.of(33, 41, 38, false, true)).isEmpty());
        assertTrue(f32.tile(MatmulSpec.of(64, 64, 64, false, true)).isEmpty());
        // from batch to batch
        assertTrue(bf16.tile(new MatmulSpec(2, 16, 16, 16, false, false, 257, 0)).isEmpty());
        assertTrue(bf16.tile(new MatmulSpec(2, 16, 16, 16, false, false, 256, 260)).isEmpty());
        // large enough
        assertTrue(bf16.tile(MatmulSpec.of(15, 64, 64, false, true)).isEmpty());
        assertTrue(bf16.tile(MatmulSpec.of(64, 15, 64, false, true)).isEmpty());
        assertTrue(bf16.tile(MatmulSpec.of(64, 64, 8, false, true)).isEmpty());
        // tiles: large ones where they are many and full
        assertEquals(Optional.of(Tile.LARGE), bf16.tile(MatmulSpec.of(9216, 5120, 5120, false, true)));
        assertEquals(Optional.of(Tile.MEDIUM), bf16.tile(MatmulSpec.of(9216, 640, 5120, false, true)));
        assertEquals(Optional.of(Tile.SMALL), bf16.tile(MatmulSpec.of(512, 4096, 4096, false, true)));
        assertEquals(Optional.of(Tile.SMALL), bf16.tile(new MatmulSpec(1000, 64, 64, 64, false, true, 4096, 4096)));
    }

    @Test
    void tf32IsAskedForByName() {
        try (var backend = Backends.open("cuda-emulated:tf32", 1)) {
            assertEquals(DType.F32, backend.real());
            assertTrue(backend.description().endsWith(", matrices multiplied as TF32"), backend.description());
            try (var _ = backend.scope()) {
                // 1 + 2⁻¹² is 1 to tensor cores
                var x = backend.allocate(DType.F32, 256);
                backend.fill(x, 1 + 0x1p-12);
                var y = backend.allocate(DType.F32, 256);
                backend.matmul(y, x, x, null, MatmulSpec.of(16, 16, 16, false, true), false);
                var values = new float[256];
                backend.download(y, values);
                for (float v : values) assertEquals(16, v);
            }
        }
        var unknown = assertThrows(DeviceException.class, () -> Backends.open("cpu:tf32", 1));
        assertTrue(unknown.getMessage().contains("cuda:tf32"), unknown.getMessage());
    }
}
