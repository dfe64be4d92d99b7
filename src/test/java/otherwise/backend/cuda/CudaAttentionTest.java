package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.AttentionSpec;
import otherwise.backend.DType;
import otherwise.support.AttentionCase;
import otherwise.support.Emulated;

/// The attention kernels, emulated, against the plain-loop reference: whole and broken tiles of queries, keys and width, with keys left out.
@EnabledIf("otherwise.support.Emulated#present")
class CudaAttentionTest {
    private static final double LIMIT = 1e-5;
    private static final CudaBackend EMULATED = Emulated.device(DType.F32).orElseThrow();

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

    private static Stream<AttentionCase> cases() {
        var plain = CASES.stream().map(AttentionCase::of);
        var added = CASES.stream().flatMap(s -> Stream.of(new AttentionCase(s, true, s.batch(), 1), new AttentionCase(s, false, 1, 1)));
        // Two windows of two clips.
        var windows = Stream.of(new AttentionCase(new AttentionSpec(4, 3, 68, 68, 32, 0.18, null), true, 2, 1));
        return Stream.of(plain, added, windows).flatMap(c -> c);
    }

    @TestFactory
    Stream<DynamicTest> asTheReference() {
        return cases().map(c -> DynamicTest.dynamicTest(c.toString(), () -> check(c, LIMIT)));
    }

    /// Scores of some hundreds have fewer digits behind the point.
    @TestFactory
    Stream<DynamicTest> scoresFarBeyondTheRangeOfExp() {
        var c = new AttentionCase(new AttentionSpec(1, 1, 20, 150, 16, 1, null), true, 1, 12);
        return Stream.of(DynamicTest.dynamicTest(c.toString(), () -> check(c, 20 * LIMIT)));
    }

    private static void check(AttentionCase c, double limit) {
        long before = EMULATED.memory().used();
        var actual = c.on(EMULATED);
        var again = c.on(EMULATED);
        assertEquals(before, EMULATED.memory().used(), "memory in use");
        c.check(actual, limit, limit);
        for (int i = 0; i < actual.length; i++) {
            assertArrayEquals(actual[i], again[i], AttentionCase.NAMES.get(i) + ": the second run differs");
        }
    }

    /// The kernel to begin reading with and the tiled one give the same.
    @TestFactory
    Stream<DynamicTest> asTheNaiveKernel() {
        return cases().filter(c -> c.spec().width() < 100).map(c -> DynamicTest.dynamicTest(c.toString(), () -> {
            var driver = new EmulatedDriver(0);
            try (var pool = new DevicePool(driver)) {
                var kernels = new Attention(new Kernels(driver, pool, DType.F32));
                // Backwards after it, there is but one way.
                c.check(c.on(EMULATED, kernels::naive, kernels::backward, 0), LIMIT, LIMIT);
                assertEquals(0, pool.memory().used(), "working memory in use");
            }
        }));
    }
}
