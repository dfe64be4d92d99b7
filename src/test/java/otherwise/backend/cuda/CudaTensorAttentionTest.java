package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.AttentionSpec;
import otherwise.backend.DType;
import otherwise.support.AttentionCase;
import otherwise.support.Close;
import otherwise.support.Emulated;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// Attention by emulated tensor cores against the plain-loop reference, from the same numbers, rounded to bf16; and which kernels ran.
@EnabledIf("otherwise.support.Emulated#present")
class CudaTensorAttentionTest {
    /// A result is rounded once, what it is made of once more.
    private static final double LIMIT = 1e-2;

    /// The logsumexp is a float, and of products that are exact.
    private static final double SUMS = 1e-6;

    private static final CudaBackend EMULATED = Emulated.device(DType.BF16).orElseThrow();

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

    private static Stream<AttentionCase> cases() {
        var plain = CASES.stream().map(AttentionCase::of);
        var added = CASES.stream().flatMap(s -> Stream.of(new AttentionCase(s, true, s.batch(), 1), new AttentionCase(s, false, 1, 1)));
        // Two windows of two clips; an odd number of keys, whose rows begin between pairs.
        var others = Stream.of(
                new AttentionCase(new AttentionSpec(4, 3, 98, 98, 32, 0.18, null), true, 2, 1),
                new AttentionCase(new AttentionSpec(1, 2, 49, 49, 32, 0.18, null), true, 0, 1));
        return Stream.of(plain, added, others).flatMap(c -> c);
    }

    @TestFactory
    Stream<DynamicTest> asTheReference() {
        return cases().map(c -> DynamicTest.dynamicTest(c.toString(), () -> {
            long before = EMULATED.memory().used();
            var actual = c.on(EMULATED);
            assertEquals(before, EMULATED.memory().used(), "memory in use");
            c.check(actual, LIMIT, SUMS);
        }));
    }

    @Test
    void anotherRunGivesTheSameBits() {
        var c = new AttentionCase(new AttentionSpec(1, 2, 70, 90, 64, 0.125, null), true, 1, 1);
        var once = c.on(EMULATED);
        var again = c.on(EMULATED);
        for (int i = 0; i < once.length; i++) assertArrayEquals(once[i], again[i], AttentionCase.NAMES.get(i));
    }

    /// Scores of some hundreds, which grow beyond all that went before; δ is the difference of large numbers then.
    @Test
    void scoresFarBeyondTheRangeOfExp() {
        var c = new AttentionCase(new AttentionSpec(1, 1, 20, 150, 64, 1, null), false, 0, 6);
        c.check(c.on(EMULATED), 3 * LIMIT, SUMS);
    }

    /// A mask of −10³⁰ hides keys, whole tiles of them too, and where everything is hidden, nothing is no number.
    @Test
    void masksThatHideKeys() {
        try (var _ = EMULATED.scope()) {
            var random = Random.philox(3, 0);
            var q = random.normal(EMULATED, 1, 3, 1, 64);
            var k = random.normal(EMULATED, 1, 100, 1, 64);
            var v = random.normal(EMULATED, 1, 100, 1, 64);
            var hidden = new double[3 * 100];
            for (int i = 0; i < hidden.length; i++)
                hidden[i] = i < 100 && i >= 70 || i >= 100 && i < 200 && i % 100 < 70 || i >= 200 ? -1e30 : 0;
            var y = q.attention(k, v, null, Tensor.of(EMULATED, hidden, 1, 3, 100), 0.125, null);
            var first = q.attention(k.slice(1, 0, 70), v.slice(1, 0, 70), 0.125, null);
            var others = q.attention(k.slice(1, 70, 100), v.slice(1, 70, 100), 0.125, null);
            Close.check("the first 70", y.slice(1, 0, 1).doubles(), first.slice(1, 0, 1).doubles(), LIMIT);
            Close.check("the last 30", y.slice(1, 1, 2).doubles(), others.slice(1, 1, 2).doubles(), LIMIT);
            assertTrue(Arrays.stream(y.slice(1, 2, 3).doubles()).allMatch(Double::isFinite));
        }
    }

    private static void runsOn(List<String> kernels, AttentionCase c, boolean tensorCores, long offset) {
        var launched = new ArrayList<String>();
        var driver = Noting.driver(new EmulatedDriver(0), launched, tensorCores);
        try (var pool = new DevicePool(driver)) {
            var attention = new Attention(new Kernels(driver, pool, DType.BF16));
            c.check(c.on(EMULATED, attention::forward, attention::backward, offset), LIMIT, SUMS);
            assertEquals(kernels, launched);
        }
    }

    private static List<String> kernels(String infix, String suffix) {
        return List.of(
                "attention" + infix + "_" + suffix, "attention_delta", "attention" + infix + "_to_queries_" + suffix,
                "attention" + infix + "_to_keys_" + suffix);
    }

    @TestFactory
    Stream<DynamicTest> kernelsByWidth() {
        return Stream.of(8L, 32L, 40L, 64L, 72L, 128L).map(width -> DynamicTest.dynamicTest("width " + width, () -> {
            var suffix = width <= 32 ? "32" : width <= 64 ? "64" : "128";
            var spec = new AttentionSpec(1, 1, 5, 6, width, 0.2, null);
            runsOn(kernels("_tensor", suffix), AttentionCase.of(spec), true, 8);
            runsOn(kernels("_tensor", suffix + "_added"), new AttentionCase(spec, false, 1, 1), true, 8);
        }));
    }

    @Test
    void elsewhereTheOtherKernels() {
        runsOn(kernels("", "32"), AttentionCase.of(new AttentionSpec(1, 1, 5, 6, 12, 0.2, null)), true, 0);
        runsOn(kernels("", "wide"), AttentionCase.of(new AttentionSpec(1, 1, 5, 6, 136, 0.1, null)), true, 0);
        runsOn(kernels("", "32"), AttentionCase.of(new AttentionSpec(1, 1, 5, 6, 16, -0.2, null)), true, 0);
        runsOn(kernels("", "32"), AttentionCase.of(new AttentionSpec(1, 1, 5, 6, 16, 0.2, null)), true, 4);
        runsOn(kernels("", "32"), AttentionCase.of(new AttentionSpec(1, 1, 5, 6, 16, 0.2, null)), false, 0);
    }
}
