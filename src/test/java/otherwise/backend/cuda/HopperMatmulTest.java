package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.Backend.Unary;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.MatmulSpec;
import otherwise.support.Close;

/// Products on the emulated Hopper GPU, which has two multiprocessors, against plain loops over the same numbers of bf16.
@EnabledIf("otherwise.support.Emulated#present")
class HopperMatmulTest {
    /// Rounding to bf16, once.
    private static final double LIMIT = 4e-3;

    private final EmulatedDriver driver = new EmulatedDriver(0, true);
    private final DevicePool pool = new DevicePool(driver);
    private final Kernels kernels = new Kernels(driver, pool, DType.BF16);
    private final Matmul matmul = new Matmul(kernels);
    private static final Epilogue PLAIN = Epilogue.of(null, null);
    private final HopperMatmul hopper = new HopperMatmul(kernels);
    private final SplittableRandom random = new SplittableRandom(7);

    @AfterEach
    void close() {
        pool.close();
        driver.close();
    }

    private static float wide(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    private short[] numbers(long n) {
        var bits = new short[(int) n];
        for (int i = 0; i < n; i++) bits[i] = (short) (Float.floatToRawIntBits((float) random.nextDouble(-1, 1)) >>> 16);
        return bits;
    }

    private CudaStorage written(short[] bits) {
        var storage = new CudaStorage(DType.BF16, bits.length, pool.take(2L * bits.length), pool);
        driver.toDevice(storage.address(), MemorySegment.ofArray(bits));
        return storage;
    }

    private double[] read(CudaStorage x) {
        var bits = new short[(int) x.size()];
        driver.toHost(MemorySegment.ofArray(bits), x.address());
        return IntStream.range(0, bits.length).mapToDouble(i -> wide(bits[i])).toArray();
    }

    private void check(MatmulSpec s, boolean withBias, boolean accumulate) {
        var a = numbers(s.strideA() * (s.batch() - 1) + s.m() * s.k());
        var b = numbers(s.strideB() * (s.batch() - 1) + s.k() * s.n());
        var bias = numbers(s.n());
        var before = numbers(s.batch() * s.m() * s.n());
        var expected = new double[before.length];
        for (int e = 0; e < expected.length; e++) {
            long j = e % s.n();
            long i = e / s.n() % s.m();
            long batch = e / s.n() / s.m();
            double sum = (withBias ? wide(bias[(int) j]) : 0) + (accumulate ? wide(before[e]) : 0);
            for (long k = 0; k < s.k(); k++) {
                long atA = batch * s.strideA() + (s.transposeA() ? k * s.m() + i : i * s.k() + k);
                long atB = batch * s.strideB() + (s.transposeB() ? j * s.k() + k : k * s.n() + j);
                sum += (double) wide(a[(int) atA]) * wide(b[(int) atB]);
            }
            expected[e] = sum;
        }
        var deviceA = written(a);
        var deviceB = written(b);
        var deviceBias = withBias ? written(bias) : null;
        var runs = new double[4][];
        for (int run = 0; run < 4; run++) {
            var y = accumulate ? written(before) : new CudaStorage(DType.BF16, before.length, pool.take(2L * before.length), pool);
            assertTrue(hopper.matmul(y, deviceA, deviceB, Epilogue.of(deviceBias, accumulate ? y : null), s, 1 + run % 2));
            runs[run] = read(y);
        }
        Close.check(s.toString(), runs[0], expected, LIMIT);
        assertArrayEquals(runs[0], runs[1], "pairs of blocks differ");
        for (int blocks = 0; blocks < 2; blocks++) assertArrayEquals(runs[blocks], runs[blocks + 2], "another run differs");
    }

    /// The function of Wan's layers is of the sums before they are rounded, and these can be kept.
    @Test
    void functionBehindTheSums() {
        var s = MatmulSpec.of(136, 264, 72, false, true);
        var a = written(numbers(136 * 72));
        var b = written(numbers(264 * 72));
        var bias = written(numbers(264));
        var y = new CudaStorage(DType.BF16, 136 * 264, pool.take(2 * 136 * 264), pool);
        var sums = new CudaStorage(DType.BF16, 136 * 264, pool.take(2 * 136 * 264), pool);
        assertTrue(matmul.matmulThen(Unary.GELU_TANH, y, sums, a, b, bias, s));
        var plain = new CudaStorage(DType.BF16, 136 * 264, pool.take(2 * 136 * 264), pool);
        assertTrue(hopper.matmul(plain, a, b, Epilogue.of(bias, null), s));
        assertArrayEquals(read(plain), read(sums));
        var expected = Arrays.stream(read(sums)).map(v -> v / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (v + 0.044715 * v * v * v))));
        Close.check("gelu_tanh", read(y), expected.toArray(), 2 * LIMIT);
        assertTrue(matmul.matmulThen(Unary.GELU_TANH, plain, null, a, b, bias, s));
        assertArrayEquals(read(y), read(plain), "whether the sums are kept or not");
    }

    /// Gated, with rows of several samples in a tile, and added to something; the sums are kept or not.
    @Test
    void intoASum() {
        long n = 264;
        long length = 45;
        var s = new MatmulSpec(3, length, n, 72, false, true, length * 72, 0);
        var a = written(numbers(3 * length * 72));
        var b = written(numbers(n * 72));
        var bias = written(numbers(n));
        var added = numbers(3 * length * n);
        var gates = numbers(3 * n);
        var x = written(added);
        var gate = written(gates);
        var h = blank(3 * length * n);
        var y = blank(3 * length * n);
        var again = blank(3 * length * n);
        var sum = blank(3 * length * n);
        assertTrue(hopper.matmul(h, a, b, Epilogue.of(bias, null), s.tall()));
        assertTrue(matmul.matmulOnto(y, sum, x, gate, a, b, bias, s));
        assertArrayEquals(read(h), read(sum));
        var branch = read(h);
        var expected = new double[branch.length];
        for (int e = 0; e < expected.length; e++)
            expected[e] = wide(added[e]) + wide(gates[(int) (e / n / length * n + e % n)]) * branch[e];
        Close.check("gated", read(y), expected, 2 * LIMIT);
        assertTrue(matmul.matmulOnto(again, null, x, gate, a, b, bias, s));
        assertArrayEquals(read(y), read(again), "whether the sums are kept or not");
        for (int e = 0; e < expected.length; e++) expected[e] = wide(added[e]) + branch[e];
        assertTrue(matmul.matmulOnto(again, null, x, null, a, b, bias, s));
        Close.check("added", read(again), expected, 2 * LIMIT);
    }

    private CudaStorage blank(long n) {
        return new CudaStorage(DType.BF16, n, pool.take(2 * n), pool);
    }

    /// Sizes below a tile, at its edges, beyond them; fewer steps than stages, and more.
    private static final long[][] SIZES = {{8, 8, 8}, {128, 256, 64}, {136, 264, 72}, {72, 24, 456}, {304, 520, 136}};

    @TestFactory
    Stream<DynamicTest> products() {
        return Stream.of(SIZES).flatMap(z -> IntStream.range(0, 4).mapToObj(v -> {
            var s = MatmulSpec.of(z[0], z[1], z[2], (v & 1) != 0, (v & 2) != 0);
            return DynamicTest.dynamicTest(s.toString(), () -> check(s, v % 3 == 0, (v & 1) != 0));
        }));
    }

    /// Rows that no layout needs in eights: those of op(a) if they lie along the terms, and the terms if no row lies along them.
    @Test
    void oddSizes() {
        check(MatmulSpec.of(131, 40, 80, false, true), true, false);
        check(MatmulSpec.of(1, 264, 8, false, false), false, true);
        check(MatmulSpec.of(48, 40, 77, true, false), true, true);
    }

    @TestFactory
    Stream<DynamicTest> batches() {
        return IntStream.range(0, 4).mapToObj(v -> {
            var s = new MatmulSpec(3, 136, 40, 72, (v & 1) != 0, (v & 2) != 0, v == 1 ? 0 : 136 * 72 + 8, v == 2 ? 0 : 40 * 72);
            return DynamicTest.dynamicTest(s.toString(), () -> check(s, v == 0, v == 3));
        });
    }

    /// Bands of tiles: more than 16 rows of them.
    @Test
    void manyTiles() {
        check(MatmulSpec.of(17 * 128 + 8, 512 + 16, 8, false, true), false, false);
    }

    private boolean serves(MatmulSpec s) {
        var y = new CudaStorage(DType.BF16, s.batch() * s.m() * s.n(), pool.take(2 * s.batch() * s.m() * s.n()), pool);
        var a = new CudaStorage(DType.BF16, s.m() * s.k(), pool.take(2 * s.m() * s.k()), pool);
        var b = new CudaStorage(DType.BF16, s.k() * s.n(), pool.take(2 * s.k() * s.n()), pool);
        return hopper.serves(y, a, b, PLAIN, s);
    }

    @Test
    void servesLargeProductsOfAlignedRows() {
        assertTrue(serves(MatmulSpec.of(128, 256, 64, false, true)));
        assertTrue(serves(MatmulSpec.of(128, 256, 65, true, false)));
        assertFalse(serves(MatmulSpec.of(128, 256, 65, false, false)), "rows of a are not aligned");
        assertFalse(serves(MatmulSpec.of(128, 256, 65, true, true)), "rows of b are not aligned");
        assertFalse(serves(MatmulSpec.of(129, 256, 64, true, true)), "rows of a along the lines are not aligned");
        assertFalse(serves(MatmulSpec.of(128, 252, 64, false, true)), "rows of y are not aligned");
        assertFalse(serves(MatmulSpec.of(128, 256, 0, false, true)), "no terms");
        assertFalse(serves(MatmulSpec.of(40, 256, 64, false, true)), "mostly beyond the edge");
        var bf16 = new CudaStorage(DType.BF16, 1 << 20, pool.take(2 << 20), pool);
        var s = MatmulSpec.of(128, 256, 64, false, true);
        assertTrue(hopper.serves(bf16, bf16.slice(8, 8192), bf16, PLAIN, s));
        assertFalse(hopper.serves(bf16, bf16.slice(4, 8192), bf16, PLAIN, s), "the address of a is not aligned");
        assertFalse(hopper.serves(bf16, bf16, bf16, Epilogue.of(null, bf16.slice(4, 32768)), s), "that of what is added to is not");
        assertFalse(new HopperMatmul(new Kernels(driver, pool, DType.F32)).serves(bf16, bf16, bf16, PLAIN, s), "of floats");
        assertFalse(new HopperMatmul(new Kernels(new EmulatedDriver(1), pool, DType.BF16)).serves(bf16, bf16, bf16, PLAIN, s), "no Hopper");
    }

    @Test
    void pairsOfBlocksWhereTheyTakeNoMoreTurns() {
        var s = MatmulSpec.of(3 * 128, 33 * 256, 64, false, true);
        assertEquals(2, HopperMatmul.blocks(s, 132), "99 tiles, 66 pairs");
        assertEquals(1, HopperMatmul.blocks(s, 131), "65 pairs at once");
        assertEquals(1, HopperMatmul.blocks(s, 1), "no two multiprocessors");
        assertEquals(1, HopperMatmul.blocks(MatmulSpec.of(3 * 128, 44 * 256, 64, false, true), 132), "132 tiles, 88 pairs");
        assertEquals(1, HopperMatmul.blocks(MatmulSpec.of(128, 66 * 256, 64, false, true), 132), "one row of tiles");
        assertEquals(2, HopperMatmul.blocks(MatmulSpec.of(9216, 5120, 5120, false, true), 132));
    }

    /// Who is asked for a product takes the kernel where it serves: it finds what the others must not do, and they do.
    @Test
    void productsGoToTheRightKernel() {
        var s = MatmulSpec.of(128, 256, 64, false, true);
        var a = written(numbers(128 * 64));
        var b = written(numbers(256 * 64));
        var y = new CudaStorage(DType.BF16, 128 * 256, pool.take(2 * 128 * 256), pool);
        var z = new CudaStorage(DType.BF16, 128 * 256, pool.take(2 * 128 * 256), pool);
        matmul.matmul(y, a, b, null, s, false);
        matmul.naive(z, a, b, PLAIN, s);
        Close.check("hook", read(y), read(z), 2 * LIMIT);
        assertFalse(matmul.matmulThen(Unary.SILU, y, null, a, b, null, s), "another function behind it is a pass of its own");
        assertTrue(matmul.matmulThen(Unary.SILU, y, null, a, b, null, MatmulSpec.of(40, 252, 64, false, true)));
        var launched = new ArrayList<String>();
        var two = MatmulSpec.of(256, 128, 64, false, true);
        for (var other : List.of(Noting.driver(driver, launched), Noting.withoutClusters(driver, launched)))
            new Matmul(new Kernels(other, pool, DType.BF16)).matmul(y, b, a, null, two, false);
        assertEquals(List.of("matmul_hopper_pairs", "matmul_hopper"), launched);
        a.release();
        var wrong = assertThrows(DeviceException.class, () -> matmul.matmul(y, a, b, null, s, false));
        assertTrue(wrong.getMessage().contains("kernel matmul_hopper,"), wrong.getMessage());
        assertEquals(2, driver.multiprocessors());
    }
}
