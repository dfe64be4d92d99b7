package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.function.Executable;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;

/// The emulated instructions of Hopper GPUs: boxes against what they were cut from, products against plain ones, and the wrong uses that a
/// device answers with a wrong result, or never.
@EnabledIf("otherwise.support.Emulated#present")
class HopperTest {
    private static final String FILE = "hopper";
    private static final int SHARED = 50_000;

    private final EmulatedDriver driver = new EmulatedDriver(1, true);
    private final DevicePool pool = new DevicePool(driver);
    private final Kernels kernels = new Kernels(driver, pool, DType.F32);
    private final SplittableRandom random = new SplittableRandom(7);

    @AfterEach
    void close() {
        pool.close();
        driver.close();
    }

    private CudaStorage fresh(DType type, int n) {
        return new CudaStorage(type, n, pool.take((long) n * type.bytes()), pool);
    }

    private CudaStorage written(float... values) {
        var bits = new short[values.length];
        for (int i = 0; i < bits.length; i++) bits[i] = (short) (Float.floatToRawIntBits(values[i]) >>> 16);
        var storage = fresh(DType.BF16, bits.length);
        driver.toDevice(storage.address(), MemorySegment.ofArray(bits));
        return storage;
    }

    private float[] floats(CudaStorage x) {
        var values = new float[(int) x.size()];
        driver.toHost(MemorySegment.ofArray(values), x.address());
        return values;
    }

    private float[] wide(CudaStorage x) {
        var bits = new short[(int) x.size()];
        driver.toHost(MemorySegment.ofArray(bits), x.address());
        var values = new float[bits.length];
        for (int i = 0; i < bits.length; i++) values[i] = Float.intBitsToFloat(bits[i] << 16);
        return values;
    }

    /// Eighths below 4: exact as bf16, and so are their products and sums as floats.
    private float[] numbers(int n) {
        var all = new float[n];
        for (int i = 0; i < n; i++) all[i] = random.nextInt(-31, 32) / 8f;
        return all;
    }

    private byte[] map(CudaStorage x, long columns, long rows, long matrices, int boxRows) {
        return driver.encode(new TensorMap(x.address(), columns, rows, matrices, 2 * columns, 2 * columns * rows, boxRows));
    }

    @Test
    void boxesHaveZerosWhereThereIsNothing() {
        int columns = 72;
        int rows = 11;
        var x = numbers(3 * rows * columns);
        var map = map(written(x), columns, rows, 3, 16);
        for (int[] first : new int[][] {{0, 0, 0}, {8, 0, 1}, {16, 5, 2}, {-8, -3, 1}, {64, 3, 0}, {0, 0, 3}, {72, 0, 0}, {0, -20, 0}}) {
            var y = fresh(DType.BF16, 16 * 64);
            kernels.launch(FILE, "box", Grid.of(2, 64).shared(SHARED),
                    new Arguments().with(y).with(map).with(16).with(first[0]).with(first[1]).with(first[2]));
            var got = wide(y);
            for (int i = 0; i < got.length; i++) {
                int column = first[0] + i % 64;
                int row = first[1] + i / 64;
                boolean inside = column >= 0 && column < columns && row >= 0 && row < rows && first[2] < 3;
                float expected = inside ? x[(first[2] * rows + row) * columns + column] : 0;
                assertEquals(expected, got[i], "box at " + Arrays.toString(first) + ", row " + i / 64 + ", column " + i % 64);
            }
        }
    }

    /// a [64, 64] · b [64, N], twice, as the kernel of this name leaves it.
    private float[] product(String kernel, float[] a, float[] b, boolean aLines, boolean bLines, int wrong) {
        int n = b.length / 64;
        var mapA = map(written(aLines ? transposed(a, 64, 64) : a), 64, 64, 1, 64);
        var mapB = bLines ? map(written(b), n, 64, 1, 64) : map(written(transposed(b, 64, n)), 64, n, 1, n);
        var y = fresh(DType.F32, 64 * n);
        kernels.launch(FILE, kernel, Grid.of(1, 128).shared(SHARED), new Arguments().with(y).with(mapA).with(mapB).with(wrong));
        return floats(y);
    }

    /// The same of a in registers.
    private float[] product(String kernel, float[] a, float[] b, int wrong) {
        int n = b.length / 64;
        var y = fresh(DType.F32, 64 * n);
        kernels.launch(FILE, kernel, Grid.of(1, 128).shared(SHARED),
                new Arguments().with(y).with(written(a)).with(map(written(b), n, 64, 1, 64)).with(wrong));
        return floats(y);
    }

    private static float[] transposed(float[] x, int rows, int columns) {
        var y = new float[x.length];
        for (int i = 0; i < x.length; i++) y[i % columns * rows + i / columns] = x[i];
        return y;
    }

    private static float[] twice(float[] a, float[] b) {
        int n = b.length / 64;
        var y = new float[b.length];
        for (int i = 0; i < y.length; i++) {
            for (int k = 0; k < 64; k++) y[i] += 2 * a[i / n * 64 + k] * b[k * n + i % n];
        }
        return y;
    }

    @Test
    void productsOfEveryLayout() {
        var a = numbers(64 * 64);
        var b = numbers(64 * 256);
        var expected = twice(a, b);
        assertArrayEquals(expected, product("product_along_terms", a, b, false, false, 0));
        assertArrayEquals(expected, product("product_a_lines", a, b, true, false, 0));
        assertArrayEquals(expected, product("product_b_lines", a, b, false, true, 0));
        assertArrayEquals(expected, product("product_both_lines", a, b, true, true, 0));
    }

    @Test
    void productsOfOtherSizes() {
        var a = numbers(64 * 64);
        var b = numbers(64 * 128);
        assertArrayEquals(twice(a, b), product("product_of_128", a, b, false, false, 0));
    }

    @Test
    void productsOfRegisters() {
        var a = numbers(64 * 64);
        for (int n : new int[] {64, 128}) {
            var b = numbers(64 * n);
            var kernel = "product_of_registers_" + n;
            assertArrayEquals(twice(a, b), product(kernel, a, b, 0));
            saysOf(() -> product(kernel, a, b, 2), "without a fence");
            saysOf(() -> product(kernel, a, b, 7), "changes registers");
        }
    }

    /// Of two groups, the first is done when one may still be under way, and the second is not.
    @Test
    void groupsOfProducts() {
        for (int wrong = 0; wrong < 2; wrong++) {
            var y = fresh(DType.F32, 64 * 128);
            var z = fresh(DType.F32, 64 * 128);
            kernels.launch(FILE, "groups", Grid.of(1, 128).shared(SHARED), new Arguments().with(y).with(z).with(wrong));
            for (float v : floats(y)) assertEquals(64, v);
            for (float v : floats(z)) assertEquals(wrong == 0 ? 128 : 0, v);
        }
    }

    /// Who says too early that a stage may be overwritten, and waits for its product then, is found out.
    @Test
    void boxesOverProductsUnderWay() {
        var ones = new float[128 * 64];
        Arrays.fill(ones, 1);
        var y = fresh(DType.F32, 64 * 128);
        var map = map(written(ones), 64, 128, 1, 128);
        kernels.launch(FILE, "product_in_rounds", Grid.of(1, 160).shared(SHARED), new Arguments().with(y).with(map).with(0));
        for (float v : floats(y)) assertEquals(32, v);
        saysOf(() -> kernels.launch(FILE, "product_in_rounds", Grid.of(1, 160).shared(SHARED), new Arguments().with(y).with(map).with(1)),
                "over what a product under way reads");
    }

    @Test
    void productsOfWhatThreadsHaveWritten() {
        var y = fresh(DType.F32, 64 * 256);
        kernels.launch(FILE, "product_of_written", Grid.of(1, 128).shared(SHARED), new Arguments().with(y).with(1).with(0));
        for (float v : floats(y)) assertEquals(96, v);
        says("product_of_written", new Arguments().with(y).with(0).with(0), "with no fence since then");
        says("product_of_written", new Arguments().with(y).with(1).with(128), "do not begin where the swizzle does");
        says("product_of_written", new Arguments().with(y).with(1).with(112), "beyond its rows of 128 bytes");
    }

    private void says(String kernel, Arguments arguments, String what) {
        saysOf(() -> kernels.launch(FILE, kernel, Grid.of(1, 128).shared(SHARED), arguments), what);
    }

    private void saysOfProduct(int wrong, String what) {
        var a = numbers(64 * 64);
        var b = numbers(64 * 256);
        saysOf(() -> product("product_both_lines", a, b, true, true, wrong), what);
    }

    private static void saysOf(Executable launch, String what) {
        var message = assertThrows(DeviceException.class, launch).getMessage();
        assertTrue(message.contains(what), message);
    }

    @Test
    void productsThatNoDeviceLetsPass() {
        saysOfProduct(1, "still under way");
        saysOfProduct(2, "without a fence");
        saysOfProduct(5, "still under way");
        saysOfProduct(6, "divergence");
        var a = numbers(64 * 64);
        var b = numbers(64 * 256);
        for (int wrong = 3; wrong <= 4; wrong++) {
            var got = product("product_along_terms", a, b, false, false, wrong);
            assertTrue(Arrays.mismatch(twice(a, b), got) >= 0, "the mistake " + wrong + " does not show");
        }
    }

    @Test
    void barriersHandOver() {
        var y = fresh(DType.F32, 50);
        kernels.launch(FILE, "hand_over", Grid.of(1, 64).shared(64), new Arguments().with(y).with(50));
        var got = floats(y);
        for (int i = 0; i < 50; i++) assertEquals(i * i, got[i], "round " + i);
    }

    @Test
    void barriersAndBoxesThatNoDeviceLetsPass() {
        var map = map(written(numbers(64 * 64)), 64, 64, 1, 64);
        var found = List.of("more often than it expects", "nobody is left who would complete its phase", "where none was made",
                "writes 8 bytes at byte", "reads 8 bytes at byte", "not aligned to 128 bytes", "what is no tensor map",
                "a fence is missing",
                "still under way", "nobody is left who would complete its phase");
        for (int wrong = 0; wrong < found.size(); wrong++)
            says("wrong", new Arguments().with(fresh(DType.I64, 1)).with(map).with(wrong), found.get(wrong));
    }
}
