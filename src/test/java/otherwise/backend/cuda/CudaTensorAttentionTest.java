package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.AttentionSpec;
import otherwise.backend.Backend;
import otherwise.backend.DType;
import otherwise.backend.Storage;
import otherwise.support.Close;
import otherwise.support.Emulated;
import otherwise.support.Reference;

/// Attention by emulated tensor cores against the plain-loop reference, from the same numbers, rounded to bf16; and which kernels ran.
@EnabledIf("otherwise.support.Emulated#present")
class CudaTensorAttentionTest {
    /// A result is rounded once, what it is made of once more.
    private static final double LIMIT = 1e-2;

    /// The logsumexp is a float, and of products that are exact.
    private static final double SUMS = 1e-6;

    private static final CudaBackend EMULATED = Emulated.device(DType.BF16).orElseThrow();
    private static final List<String> NAMES = List.of("y", "logsumexp", "dq", "dk", "dv");

    private static final List<AttentionSpec> CASES = List.of(
            new AttentionSpec(1, 1, 1, 1, 128, 0.3, null),
            new AttentionSpec(2, 2, 17, 130, 64, 0.125, null),
            new AttentionSpec(1, 2, 64, 64, 64, 0.125, null),
            new AttentionSpec(1, 1, 130, 17, 64, 0.2, null),
            new AttentionSpec(2, 2, 17, 64, 128, 0.088, null),
            new AttentionSpec(1, 1, 130, 130, 128, 0.088, null),
            new AttentionSpec(1, 2, 130, 65, 32, 0.18, null),
            new AttentionSpec(1, 2, 20, 33, 80, 0.11, null),
            new AttentionSpec(2, 1, 9, 11, 8, 0.4, null),
            new AttentionSpec(4, 2, 20, 70, 64, 0.125, new long[] {0, 1, 70, 65}),
            new AttentionSpec(2, 1, 33, 100, 128, 0.088, new long[] {2, 65}),
            new AttentionSpec(1, 1, 3, 0, 64, 1, null),
            new AttentionSpec(1, 1, 0, 3, 64, 1, null));

    /// The numbers of one case: q, k, v and dy.
    private static List<double[]> numbers(AttentionSpec s, double size) {
        var random = new SplittableRandom(7);
        long queries = s.batch() * s.length() * s.heads() * s.width();
        long keys = s.batch() * s.keys() * s.heads() * s.width();
        return List.of(
                rounded(random, queries, size), rounded(random, keys, size), rounded(random, keys, 1), rounded(random, queries, 1));
    }

    /// Cut to what bf16 holds.
    private static double[] rounded(SplittableRandom random, long n, double range) {
        return random.doubles(n, -range, range).map(v -> Float.intBitsToFloat(Float.floatToRawIntBits((float) v) & 0xffff0000)).toArray();
    }

    /// A storage with these numbers, `offset` elements behind where one begins.
    private static Storage storage(Backend device, double[] values, long offset) {
        var storage = device.allocate(device.real(), offset + values.length).slice(offset, values.length);
        device.upload(storage, values);
        return storage;
    }

    private static double[] downloaded(Backend device, Storage x) {
        var values = new double[Math.toIntExact(x.size())];
        device.download(x, values);
        return values;
    }

    /// y, logsumexp, dq, dk and dv; all that goes in lies `offset` elements behind the beginning of a storage.
    ///
    /// @param kernels who computes, if not the device itself
    private static double[][] run(Backend device, Attention kernels, AttentionSpec s, double size, long offset) {
        try (var _ = device.scope()) {
            var in = numbers(s, size).stream().map(values -> storage(device, values, offset)).toList();
            long queries = in.getFirst().size();
            long keys = in.get(1).size();
            var y = device.allocate(device.real(), queries);
            var logsumexp = device.allocate(device.statistics(), s.batch() * s.heads() * s.length());
            var dq = device.allocate(device.real(), queries);
            var dk = device.allocate(device.real(), keys);
            var dv = device.allocate(device.real(), keys);
            var q = in.get(0);
            var k = in.get(1);
            var v = in.get(2);
            var dy = in.get(3);
            if (kernels == null) {
                device.attention(y, logsumexp, q, k, v, s);
                device.attentionBackward(dq, dk, dv, dy, y, logsumexp, q, k, v, s);
            } else {
                kernels.forward(y, logsumexp, q, k, v, s);
                kernels.backward(dq, dk, dv, dy, y, logsumexp, q, k, v, s);
            }
            return Stream.of(y, logsumexp, dq, dk, dv).map(x -> downloaded(device, x)).toArray(double[][]::new);
        }
    }

    private static void check(AttentionSpec s, double size, double[][] actual, double limit) {
        try (var reference = new Reference()) {
            var expected = run(reference, null, s, size, 0);
            for (int i = 0; i < actual.length; i++) Close.check(NAMES.get(i), actual[i], expected[i], i == 1 ? SUMS : limit);
        }
    }

    private static String name(AttentionSpec s) {
        return "%d × %d heads, %d queries, %d keys, width %d%s".formatted(s.batch(), s.heads(), s.length(), s.keys(), s.width(),
                s.keyLengths() == null ? "" : ", some keys left out");
    }

    @TestFactory
    Stream<DynamicTest> asTheReference() {
        return CASES.stream().map(s -> DynamicTest.dynamicTest(name(s), () -> {
            long before = EMULATED.memory().used();
            var actual = run(EMULATED, null, s, 1, 0);
            assertEquals(before, EMULATED.memory().used(), "memory in use");
            check(s, 1, actual, LIMIT);
        }));
    }

    @Test
    void anotherRunGivesTheSameBits() {
        var s = new AttentionSpec(1, 2, 70, 90, 64, 0.125, null);
        var once = run(EMULATED, null, s, 1, 0);
        var again = run(EMULATED, null, s, 1, 0);
        for (int i = 0; i < once.length; i++) assertArrayEquals(once[i], again[i], NAMES.get(i));
    }

    /// Scores of some hundreds, which grow beyond all that went before; δ is the difference of large numbers then.
    @Test
    void scoresFarBeyondTheRangeOfExp() {
        var s = new AttentionSpec(1, 1, 20, 150, 64, 1, null);
        check(s, 6, run(EMULATED, null, s, 6, 0), 3 * LIMIT);
    }

    private static void runsOn(List<String> kernels, AttentionSpec s, boolean tensorCores, long offset) {
        var launched = new ArrayList<String>();
        var driver = Noting.driver(new EmulatedDriver(0), launched, tensorCores);
        try (var pool = new DevicePool(driver)) {
            var attention = new Attention(new Kernels(driver, pool, DType.BF16));
            check(s, 1, run(EMULATED, attention, s, 1, offset), LIMIT);
            assertEquals(kernels, launched);
        }
    }

    private static List<String> kernels(String infix, String suffix) {
        return Stream.of("attention" + infix, "attention_delta", "attention" + infix + "_to_queries", "attention" + infix + "_to_keys")
                .map(name -> name.equals("attention_delta") ? name : name + "_" + suffix).toList();
    }

    @TestFactory
    Stream<DynamicTest> kernelsByWidth() {
        return Stream.of(8L, 32L, 40L, 64L, 72L, 128L).map(width -> DynamicTest.dynamicTest("width " + width, () -> runsOn(
                kernels("_tensor", width <= 32 ? "32" : width <= 64 ? "64" : "128"), new AttentionSpec(1, 1, 5, 6, width, 0.2, null), true,
                8)));
    }

    @Test
    void elsewhereTheOtherKernels() {
        runsOn(kernels("", "32"), new AttentionSpec(1, 1, 5, 6, 12, 0.2, null), true, 0);
        runsOn(kernels("", "wide"), new AttentionSpec(1, 1, 5, 6, 136, 0.1, null), true, 0);
        runsOn(kernels("", "32"), new AttentionSpec(1, 1, 5, 6, 16, -0.2, null), true, 0);
        runsOn(kernels("", "32"), new AttentionSpec(1, 1, 5, 6, 16, 0.2, null), true, 4);
        runsOn(kernels("", "32"), new AttentionSpec(1, 1, 5, 6, 16, 0.2, null), false, 0);
    }
}
