package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import otherwise.backend.DType;

/// The instructions of Hopper GPUs, one at a time, on whatever runs them: boxes against what they were cut from, products of every layout against
/// plain ones, barriers.
abstract class HopperInstructions extends DeviceMemory {
    static final String FILE = "hopper";
    static final int SHARED = 50_000;

    private final SplittableRandom random = new SplittableRandom(7);

    /// @param driver of a Hopper GPU; closed after each test
    HopperInstructions(Driver driver) {
        super(driver);
    }

    /// As bf16.
    CudaStorage rounded(float... values) {
        var bits = new short[values.length];
        for (int i = 0; i < bits.length; i++) bits[i] = (short) (Float.floatToRawIntBits(values[i]) >>> 16);
        var storage = fresh(DType.BF16, bits.length);
        driver.toDevice(storage.address(), MemorySegment.ofArray(bits));
        return storage;
    }

    private float[] wide(CudaStorage x) {
        var bits = new short[(int) x.size()];
        driver.toHost(MemorySegment.ofArray(bits), x.address());
        var values = new float[bits.length];
        for (int i = 0; i < bits.length; i++) values[i] = Float.intBitsToFloat(bits[i] << 16);
        return values;
    }

    /// Eighths below 4: exact as bf16, and so are their products and sums as floats.
    float[] numbers(int n) {
        var all = new float[n];
        for (int i = 0; i < n; i++) all[i] = random.nextInt(-31, 32) / 8f;
        return all;
    }

    byte[] map(CudaStorage x, long columns, long rows, long matrices, int boxRows) {
        return driver.encode(new TensorMap(x.address(), columns, rows, matrices, 2 * columns, 2 * columns * rows, boxRows));
    }

    @Test
    void boxesHaveZerosWhereThereIsNothing() {
        int columns = 72;
        int rows = 11;
        var x = numbers(3 * rows * columns);
        var map = map(rounded(x), columns, rows, 3, 16);
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

    /// Boxes of several rows along two axes, as a convolution asks for them, beyond every end of every axis.
    @Test
    void boxesOfFiveAxes() {
        int[] size = {40, 11, 5, 3, 2};
        var x = numbers(40 * 11 * 5 * 3 * 2);
        var map = driver.encode(new TensorMap(rounded(x).address(), 40, List.of(
                new TensorMap.Axis(11, 80, 8), new TensorMap.Axis(5, 80 * 11, 6), new TensorMap.Axis(3, 80 * 55, 1),
                new TensorMap.Axis(2, 80 * 165, 1))));
        for (int[] first : new int[][] {{0, 0, 0, 0, 0}, {0, -1, -2, 1, 1}, {32, 8, 3, 2, 0}, {0, -1, 1, -2, 1}, {0, 0, 0, 3, 0},
            {8, 4, -1, 1, 2}, {-16, 2, 0, 0, -1}, {40, 0, 0, 0, 0}, {0, 11, -6, 0, 0}}) {
            var y = fresh(DType.BF16, 48 * 64);
            kernels.launch(FILE, "box_of_five", Grid.of(1, 64).shared(SHARED), new Arguments().with(y).with(map).with(48).with(first[0])
                    .with(first[1]).with(first[2]).with(first[3]).with(first[4]));
            var got = wide(y);
            for (int i = 0; i < got.length; i++) {
                int[] at = {first[0] + i % 64, first[1] + i / 64 % 8, first[2] + i / 64 / 8, first[3], first[4]};
                boolean inside = true;
                int place = 0;
                for (int axis = 4; axis >= 0; axis--) {
                    inside &= at[axis] >= 0 && at[axis] < size[axis];
                    place = place * size[axis] + at[axis];
                }
                assertEquals(inside ? x[place] : 0, got[i], "box at " + Arrays.toString(first) + ", element " + Arrays.toString(at));
            }
        }
    }

    @Test
    void transposes() {
        var x = numbers(64);
        var y = fresh(DType.BF16, 64);
        kernels.launch(FILE, "transpose", Grid.of(1, 32), new Arguments().with(y).with(rounded(x)));
        assertArrayEquals(transposed(x, 8, 8), wide(y));
    }

    /// a [64, 64] · b [64, N], twice, as the kernel of this name leaves it.
    float[] product(String kernel, float[] a, float[] b, boolean aLines, boolean bLines, int wrong) {
        int n = b.length / 64;
        var mapA = map(rounded(aLines ? transposed(a, 64, 64) : a), 64, 64, 1, 64);
        var mapB = bLines ? map(rounded(b), n, 64, 1, 64) : map(rounded(transposed(b, 64, n)), 64, n, 1, n);
        var y = fresh(DType.F32, 64 * n);
        kernels.launch(FILE, kernel, Grid.of(1, 128).shared(SHARED), new Arguments().with(y).with(mapA).with(mapB).with(wrong));
        return read(y);
    }

    /// The same of a in registers.
    float[] product(String kernel, float[] a, float[] b, int wrong) {
        int n = b.length / 64;
        var y = fresh(DType.F32, 64 * n);
        kernels.launch(FILE, kernel, Grid.of(1, 128).shared(SHARED),
                new Arguments().with(y).with(rounded(a)).with(map(rounded(b), n, 64, 1, 64)).with(wrong));
        return read(y);
    }

    private static float[] transposed(float[] x, int rows, int columns) {
        var y = new float[x.length];
        for (int i = 0; i < x.length; i++) y[i % columns * rows + i / columns] = x[i];
        return y;
    }

    static float[] twice(float[] a, float[] b) {
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
        for (int n : new int[] {96, 128, 192}) {
            var b = numbers(64 * n);
            assertArrayEquals(twice(a, b), product("product_of_" + n, a, b, false, false, 0));
        }
    }

    @Test
    void productsOfRegisters() {
        var a = numbers(64 * 64);
        for (int n : new int[] {64, 128}) {
            var b = numbers(64 * n);
            assertArrayEquals(twice(a, b), product("product_of_registers_" + n, a, b, 0));
        }
    }

    /// Two groups of products, waited for one after the other: all sums of the first are 64, and of the second `second`.
    void groups(int wrong, float second) {
        var y = fresh(DType.F32, 64 * 128);
        var z = fresh(DType.F32, 64 * 128);
        kernels.launch(FILE, "groups", Grid.of(1, 128).shared(SHARED), new Arguments().with(y).with(z).with(wrong));
        for (float v : read(y)) assertEquals(64, v);
        for (float v : read(z)) assertEquals(second, v);
    }

    @Test
    void groupsOfProducts() {
        groups(0, 128);
    }

    /// A ring of stages, which boxes fill and products empty; all sums are 32.
    void rounds(int wrong) {
        var ones = new float[128 * 64];
        Arrays.fill(ones, 1);
        var y = fresh(DType.F32, 64 * 128);
        kernels.launch(FILE, "product_in_rounds", Grid.of(1, 160).shared(SHARED),
                new Arguments().with(y).with(map(rounded(ones), 64, 128, 1, 128)).with(wrong));
        for (float v : read(y)) assertEquals(32, v);
    }

    @Test
    void productsInRounds() {
        rounds(0);
    }

    @Test
    void productsOfWhatThreadsHaveWritten() {
        var y = fresh(DType.F32, 64 * 256);
        kernels.launch(FILE, "product_of_written", Grid.of(1, 128).shared(SHARED), new Arguments().with(y).with(1).with(0));
        for (float v : read(y)) assertEquals(96, v);
    }

    @Test
    void barriersHandOver() {
        var y = fresh(DType.F32, 50);
        kernels.launch(FILE, "hand_over", Grid.of(1, 64).shared(64), new Arguments().with(y).with(50));
        var got = read(y);
        for (int i = 0; i < 50; i++) assertEquals(i * i, got[i], "round " + i);
    }

    private int[] ints(CudaStorage x) {
        var values = new int[(int) x.size()];
        driver.toHost(MemorySegment.ofArray(values), x.address());
        return values;
    }

    /// Threads of so many blocks, two in a cluster, read what their neighbours have written.
    void meet(int blocks, int wrong) {
        var z = fresh(DType.I32, blocks * 32);
        kernels.launch(FILE, "meet", Grid.of(blocks, 64), new Arguments().with(fresh(DType.I32, blocks * 64)).with(z).with(wrong));
        var got = ints(z);
        for (int i = 0; i < got.length; i++) assertEquals((i / 32 ^ 1) * 1000 + 32 + 2 * (i % 32), got[i]);
    }

    @Test
    void blocksOfAClusterMeet() {
        meet(4, 0);
    }

    /// How often all threads of its neighbour have arrived at each block of two pairs.
    int[] arrivals(int times, int wrong) {
        var y = fresh(DType.I32, 4);
        kernels.launch(FILE, "arrive_across", Grid.of(4, 64).shared(64), new Arguments().with(y).with(times).with(wrong));
        return ints(y);
    }

    @Test
    void arrivalsAtBarriersOfAnotherBlock() {
        assertArrayEquals(new int[] {5, 5, 5, 5}, arrivals(5, 0));
    }

    @Test
    void boxesToBlocksOfACluster() {
        int rows = 16;
        var x = numbers(rows * 64);
        var map = map(rounded(x), 64, rows, 1, rows);
        for (int from = 0; from < 2; from++) {
            for (int to = 1; to < 4; to++) {
                var y = rounded(new float[4 * x.length]);
                kernels.launch(FILE, "box_to", Grid.of(4, 64).shared(SHARED),
                        new Arguments().with(y).with(map).with(rows).with(from).with(to));
                var got = wide(y);
                for (int block = 0; block < 4; block++) {
                    var expected = (to >> block % 2 & 1) == 0 ? new float[x.length] : x;
                    assertArrayEquals(expected, Arrays.copyOfRange(got, block * x.length, (block + 1) * x.length),
                            "from " + from + ", bits " + to + ", block " + block);
                }
            }
        }
    }

    private static final int ROUNDS = 9;

    /// Whether each block of two pairs has had every matrix, half of which its neighbour brings.
    boolean inPairs(int wrong) {
        var x = numbers(ROUNDS * 4096);
        var y = fresh(DType.BF16, 4 * x.length);
        kernels.launch(FILE, "boxes_in_pairs", Grid.of(4, 96).shared(SHARED),
                new Arguments().with(y).with(map(rounded(x), 64, 64, ROUNDS, 32)).with(ROUNDS).with(wrong));
        var got = wide(y);
        boolean same = true;
        for (int i = 0; i < got.length; i++) same &= got[i] == x[i % x.length];
        return same;
    }

    @Test
    void boxesInPairs() {
        assertTrue(inPairs(0));
    }
}
