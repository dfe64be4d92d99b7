package otherwise.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import otherwise.backend.AttentionSpec;
import otherwise.support.AttentionCase;

/// Against the plain-loop reference, and bit for bit between 1, 2 and 3 threads.
class FlashAttentionTest {
    private static final double LIMIT = 5e-6;

    private static final List<AttentionSpec> SPECS = List.of(
            new AttentionSpec(1, 1, 1, 1, 1, 1, null),
            new AttentionSpec(2, 3, 5, 7, 4, 0.5, null),
            new AttentionSpec(2, 2, 80, 80, 32, 0.18, null),
            new AttentionSpec(1, 2, 49, 200, 20, -0.3, null),
            new AttentionSpec(1, 1, 500, 401, 17, 0.25, null),
            new AttentionSpec(1, 1, 9, 10, 400, 0.05, null),
            new AttentionSpec(4, 2, 13, 50, 8, 0.4, new long[] {50, 0, 1, 33}),
            new AttentionSpec(1, 1, 3, 0, 8, 1, null),
            new AttentionSpec(1, 1, 0, 3, 8, 1, null));

    @TestFactory
    Stream<DynamicTest> asTheReference() {
        var plain = SPECS.stream().map(AttentionCase::of);
        var added = SPECS.stream().flatMap(s -> Stream.of(
                new AttentionCase(s, true, 0, 1), new AttentionCase(s, false, s.batch(), 1), new AttentionCase(s, true, 1, 1)));
        var others = Stream.of(
                // Two windows of two clips; more keys than one task takes, in a batch.
                new AttentionCase(new AttentionSpec(4, 3, 98, 98, 32, 0.18, null), true, 2, 1),
                new AttentionCase(new AttentionSpec(3, 2, 20, 700, 16, 0.25, new long[] {700, 190, 400}), true, 3, 1));
        return Stream.of(plain, added, others).flatMap(c -> c).map(c -> DynamicTest.dynamicTest(c.toString(), () -> check(c, LIMIT)));
    }

    @TestFactory
    Stream<DynamicTest> scoresFarBeyondTheRangeOfExp() {
        var c = new AttentionCase(new AttentionSpec(1, 2, 60, 250, 16, 1, null), true, 1, 12);
        return Stream.of(DynamicTest.dynamicTest(c.toString(), () -> check(c, 12 * LIMIT)));
    }

    private static void check(AttentionCase c, double limit) {
        double[][] one;
        try (var cpu = new CpuBackend(1)) {
            one = c.on(cpu);
        }
        c.check(one, limit, limit);
        for (int threads = 2; threads <= 3; threads++) {
            try (var cpu = new CpuBackend(threads)) {
                var more = c.on(cpu);
                for (int i = 0; i < one.length; i++)
                    assertArrayEquals(one[i], more[i], AttentionCase.NAMES.get(i) + ", " + threads + " threads");
            }
        }
    }
}
