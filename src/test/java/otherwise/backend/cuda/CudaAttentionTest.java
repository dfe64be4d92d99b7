package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.AttentionSpec;
import otherwise.backend.Backend;
import otherwise.backend.DType;
import otherwise.backend.Storage;
import otherwise.support.Close;
import otherwise.support.Emulated;
import otherwise.support.Reference;

/// The attention kernels, emulated, against the plain-loop reference: whole and broken tiles of queries, keys and width, with keys left out.
@EnabledIf("otherwise.support.Emulated#present")
class CudaAttentionTest {
    private static final double LIMIT = 1e-5;
    private static final CudaBackend EMULATED = Emulated.device(DType.F32).orElseThrow();
    private static final List<String> NAMES = List.of("y", "logsumexp", "dq", "dk", "dv");

    private static final List<AttentionSpec> CASES = List.of(
            new AttentionSpec(1, 1, 1, 1, 1, 1, null),
            new AttentionSpec(2, 3, 5, 7, 1, 0.5, null),
            new AttentionSpec(2, 2, 65, 129, 8, 0.4, null),
            new AttentionSpec(1, 2, 64, 64, 32, 0.18, null),
            new AttentionSpec(1, 3, 77, 31, 40, -0.16, null),
            new AttentionSpec(1, 2, 70, 101, 64, 0.125, null),
            new AttentionSpec(1, 2, 67, 97, 128, 0.088, null),
            new AttentionSpec(1, 1, 66, 69, 384, 0.051, null),
            new AttentionSpec(2, 2, 3, 5, 131, 0.09, new long[] {2, 5}),
            new AttentionSpec(5, 2, 13, 80, 8, 0.4, new long[] {80, 0, 1, 33, 64}),
            new AttentionSpec(3, 1, 70, 70, 46, 0.15, new long[] {63, 70, 0}),
            new AttentionSpec(2, 1, 33, 100, 128, 0.088, new long[] {0, 65}),
            new AttentionSpec(1, 1, 3, 0, 8, 1, null),
            new AttentionSpec(1, 1, 0, 3, 8, 1, null));

    /// y, logsumexp, dq, dk and dv on one device, from the same random numbers everywhere.
    private static double[][] run(Backend device, AttentionSpec s, double size) {
        try (var _ = device.scope()) {
            var random = new SplittableRandom(7);
            long queries = s.batch() * s.length() * s.heads() * s.width();
            long keys = s.batch() * s.keys() * s.heads() * s.width();
            var q = values(device, random, queries, size);
            var k = values(device, random, keys, size);
            var v = values(device, random, keys, 1);
            var dy = values(device, random, queries, 1);
            var y = device.allocate(device.real(), queries);
            var logsumexp = device.allocate(device.real(), s.batch() * s.heads() * s.length());
            var dq = device.allocate(device.real(), queries);
            var dk = device.allocate(device.real(), keys);
            var dv = device.allocate(device.real(), keys);
            device.attention(y, logsumexp, q, k, v, s);
            device.attentionBackward(dq, dk, dv, dy, y, logsumexp, q, k, v, s);
            return Stream.of(y, logsumexp, dq, dk, dv).map(x -> downloaded(device, x)).toArray(double[][]::new);
        }
    }

    private static Storage values(Backend device, SplittableRandom random, long n, double range) {
        var storage = device.allocate(device.real(), n);
        device.upload(storage, random.doubles(n, -range, range).map(v -> (float) v).toArray());
        return storage;
    }

    private static double[] downloaded(Backend device, Storage x) {
        var values = new double[Math.toIntExact(x.size())];
        device.download(x, values);
        return values;
    }

    private static String name(AttentionSpec s) {
        return "%d × %d heads, %d queries, %d keys, width %d%s".formatted(s.batch(), s.heads(), s.length(), s.keys(), s.width(),
                s.keyLengths() == null ? "" : ", some keys left out");
    }

    @TestFactory
    Stream<DynamicTest> asTheReference() {
        return CASES.stream().map(s -> DynamicTest.dynamicTest(name(s), () -> check(s, 1, LIMIT)));
    }

    /// Scores of some hundreds have fewer digits behind the point.
    @TestFactory
    Stream<DynamicTest> scoresFarBeyondTheRangeOfExp() {
        var s = new AttentionSpec(1, 1, 20, 150, 16, 1, null);
        return Stream.of(DynamicTest.dynamicTest(name(s), () -> check(s, 12, 20 * LIMIT)));
    }

    private static void check(AttentionSpec s, double size, double limit) {
        long before = EMULATED.memory().used();
        var actual = run(EMULATED, s, size);
        var again = run(EMULATED, s, size);
        assertEquals(before, EMULATED.memory().used(), "memory in use");
        try (var reference = new Reference()) {
            var expected = run(reference, s, size);
            for (int i = 0; i < actual.length; i++) {
                Close.check(NAMES.get(i), actual[i], expected[i], limit);
                assertArrayEquals(actual[i], again[i], NAMES.get(i) + ": the second run differs");
            }
        }
    }

    /// The kernel to begin reading with and the tiled one give the same.
    @TestFactory
    Stream<DynamicTest> asTheNaiveKernel() {
        return CASES.stream().filter(s -> s.width() < 100).map(s -> DynamicTest.dynamicTest(name(s), () -> {
            var driver = new EmulatedDriver(0);
            try (var pool = new DevicePool(driver); var _ = EMULATED.scope()) {
                var naive = new Attention(new Kernels(driver, pool, DType.F32));
                var random = new SplittableRandom(8);
                long queries = s.batch() * s.length() * s.heads() * s.width();
                long keys = s.batch() * s.keys() * s.heads() * s.width();
                var q = values(EMULATED, random, queries, 1);
                var k = values(EMULATED, random, keys, 1);
                var v = values(EMULATED, random, keys, 1);
                var y = EMULATED.allocate(DType.F32, queries);
                var logsumexp = EMULATED.allocate(DType.F32, s.batch() * s.heads() * s.length());
                naive.naive(y, logsumexp, q, k, v, s);
                double[] expectedY = downloaded(EMULATED, y);
                double[] expectedSums = downloaded(EMULATED, logsumexp);
                EMULATED.attention(y, logsumexp, q, k, v, s);
                Close.check("y", downloaded(EMULATED, y), expectedY, LIMIT);
                Close.check("logsumexp", downloaded(EMULATED, logsumexp), expectedSums, LIMIT);
                assertEquals(0, pool.memory().used(), "working memory in use");
            }
        }));
    }
}
