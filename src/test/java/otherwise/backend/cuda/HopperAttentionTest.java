package otherwise.backend.cuda;

import static java.util.stream.Collectors.toSet;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.AttentionSpec;
import otherwise.backend.DType;
import otherwise.backend.Storage;
import otherwise.support.AttentionCase;
import otherwise.support.Emulated;

/// Attention on the emulated Hopper GPU, which has two multiprocessors, against the plain-loop reference; and which kernels ran.
@EnabledIf("otherwise.support.Emulated#present")
class HopperAttentionTest {
    /// A result is rounded once, what it is made of once more; the logsumexp is a float, and of products that are exact.
    private static final double LIMIT = 1e-2;
    private static final double SUMS = 1e-6;
    private static final CudaBackend EMULATED = Emulated.device(DType.BF16).orElseThrow();

    private final List<String> launched = new ArrayList<>();
    private final Driver driver = Noting.driver(new EmulatedDriver(0, true), launched);
    private final DevicePool pool = new DevicePool(driver);
    private final Kernels kernels = new Kernels(driver, pool, DType.BF16);
    private final Attention attention = new Attention(kernels);
    private final HopperAttention hopper = new HopperAttention(kernels);

    @AfterEach
    void close() {
        pool.close();
        driver.close();
    }

    /// Tiles that are full and not, one and several a block; more keys than the ring holds; batch entries of their own, and alike.
    private static final List<AttentionSpec> CASES = List.of(
            new AttentionSpec(1, 1, 128, 128, 64, 0.125, null),
            new AttentionSpec(1, 1, 128, 128, 128, 0.088, null),
            new AttentionSpec(1, 1, 64, 64, 128, 0.088, null),
            new AttentionSpec(2, 2, 130, 257, 64, 0.125, null),
            new AttentionSpec(2, 2, 257, 130, 128, 0.088, null),
            new AttentionSpec(1, 3, 65, 640, 128, 0.088, null),
            new AttentionSpec(1, 3, 200, 513, 64, 0.125, null),
            new AttentionSpec(3, 2, 70, 77, 64, 0.125, new long[] {77, 5, 5}),
            new AttentionSpec(4, 1, 150, 300, 128, 0.088, new long[] {0, 257, 1, 300}));

    private static final List<String> KERNELS = List.of("attention_hopper_", "attention_hopper_to_queries_", "attention_hopper_to_keys_");

    private double[][] run(AttentionCase c) {
        return c.on(EMULATED, attention::forward, attention::backward, 8);
    }

    private void check(AttentionSpec s, double size, double limit) {
        launched.clear();
        var c = new AttentionCase(s, false, 0, size);
        c.check(run(c), limit, SUMS);
        assertEquals(Stream.concat(KERNELS.stream().map(name -> name + s.width()), Stream.of("attention_delta")).collect(toSet()),
                Set.copyOf(launched));
    }

    private static Storage storage(double... values) {
        var storage = EMULATED.allocate(DType.BF16, values.length);
        EMULATED.upload(storage, values);
        return storage;
    }

    private static double[] downloaded(Storage x) {
        var values = new double[Math.toIntExact(x.size())];
        EMULATED.download(x, values);
        return values;
    }

    @TestFactory
    Stream<DynamicTest> asTheReference() {
        return CASES.stream().map(s -> DynamicTest.dynamicTest(AttentionCase.of(s).toString(), () -> check(s, 1, LIMIT)));
    }

    /// Scores of some hundreds, which grow beyond all that went before; δ is the difference of large numbers then.
    @Test
    void scoresFarBeyondTheRangeOfExp() {
        check(new AttentionSpec(1, 1, 80, 450, 64, 1, null), 6, 3 * LIMIT);
        check(new AttentionSpec(1, 2, 80, 450, 128, 1, null), 4, 3 * LIMIT);
    }

    @Test
    void anotherRunGivesTheSameBits() {
        var c = AttentionCase.of(new AttentionSpec(1, 2, 170, 290, 64, 0.125, null));
        assertArrayEquals(run(c), run(c));
    }

    /// Of keys that do not count, nothing is looked at. Those that do have the same score, far below that of a key of zeros.
    @Test
    void keysThatDoNotCountMayBeAnything() {
        var s = new AttentionSpec(2, 1, 64, 140, 64, 1, new long[] {131, 40});
        var k = new double[2 * 140 * 64];
        var v = new double[k.length];
        for (int row = 0; row < 280; row++) {
            boolean counts = row % 140 < s.keysOf(row / 140);
            Arrays.fill(k, row * 64, row * 64 + 64, counts ? -4 : Double.NaN);
            Arrays.fill(v, row * 64, row * 64 + 64, counts ? 3 : Double.POSITIVE_INFINITY);
        }
        var q = new double[2 * 64 * 64];
        Arrays.fill(q, 4);
        try (var _ = EMULATED.scope()) {
            var y = EMULATED.allocate(DType.BF16, q.length);
            var logsumexp = EMULATED.allocate(DType.F32, 2 * 64);
            var dq = EMULATED.allocate(DType.BF16, q.length);
            var dk = EMULATED.allocate(DType.BF16, k.length);
            var dv = EMULATED.allocate(DType.BF16, k.length);
            var in = Stream.of(q, k, v).map(HopperAttentionTest::storage).toList();
            attention.forward(y, logsumexp, in.get(0), in.get(1), in.get(2), null, s);
            attention.backward(dq, dk, dv, null, in.get(0), y, logsumexp, in.get(0), in.get(1), in.get(2), null, s);
            for (double one : downloaded(y)) assertEquals(3, one);
            var sums = downloaded(logsumexp);
            for (int i = 0; i < sums.length; i++) assertEquals(-4 * 4 * 64 + Math.log(s.keysOf(i / 64)), sums[i], 1e-3);
            for (double one : downloaded(dq)) assertEquals(0, one);
            for (double one : downloaded(dk)) assertEquals(0, one);
            var each = downloaded(dv);
            for (int i = 0; i < each.length; i++) {
                long keys = s.keysOf(i / 140 / 64);
                assertEquals(i / 64 % 140 < keys ? 64. * 4 / keys : 0, each[i], 0.05);
            }
        }
    }

    @Test
    void aLaunchForNeighboursWithEquallyManyKeys() {
        check(new AttentionSpec(5, 1, 64, 70, 64, 0.125, new long[] {70, 70, 3, 3, 70}), 1, LIMIT);
        assertEquals(3 + 1 + 3 + 3, launched.size());
    }

    /// To whose scores something is added, other kernels make, at the same sizes.
    @Test
    void nothingIsAdded() {
        run(new AttentionCase(new AttentionSpec(1, 1, 64, 64, 64, 0.125, null), false, 1, 1));
        assertEquals(List.of("attention_tensor_64_added", "attention_delta", "attention_tensor_to_queries_64_added",
                "attention_tensor_to_keys_64_added"), launched);
    }

    @Test
    void servesTilesThatAreHalfFull() {
        try (var _ = EMULATED.scope()) {
            var x = EMULATED.allocate(DType.BF16, 64);
            assertTrue(hopper.serves(new AttentionSpec(1, 1, 64, 64, 64, 1, null), x));
            assertTrue(hopper.serves(new AttentionSpec(1, 1, 64, 64, 128, 1, null), x.slice(8, 8)));
            assertFalse(hopper.serves(new AttentionSpec(1, 1, 63, 64, 64, 1, null), x), "few queries");
            assertFalse(hopper.serves(new AttentionSpec(1, 1, 64, 63, 64, 1, null), x), "few keys");
            assertFalse(hopper.serves(new AttentionSpec(1, 1, 64, 64, 32, 1, null), x), "half a box");
            assertFalse(hopper.serves(new AttentionSpec(1, 1, 64, 64, 96, 1, null), x), "a box and a half");
            assertFalse(hopper.serves(new AttentionSpec(1, 1, 64, 64, 64, -1, null), x), "a negative scale");
            assertFalse(hopper.serves(new AttentionSpec(1, 1, 64, 64, 64, 1, null), x, x.slice(4, 8)), "not aligned");
            var floats = new HopperAttention(new Kernels(driver, pool, DType.F32));
            assertFalse(floats.serves(new AttentionSpec(1, 1, 64, 64, 64, 1, null), x), "of floats");
            var elsewhere = new HopperAttention(new Kernels(new EmulatedDriver(1), pool, DType.BF16));
            assertFalse(elsewhere.serves(new AttentionSpec(1, 1, 64, 64, 64, 1, null), x), "no Hopper");
        }
    }
}
