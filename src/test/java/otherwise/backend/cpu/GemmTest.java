package otherwise.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import otherwise.backend.MatmulSpec;

class GemmTest {
    private final SplittableRandom random = new SplittableRandom(1);

    @Test
    void everySizeTransposeBiasAndAccumulation() {
        long[][] sizes = {
            {1, 1, 1}, {1, 5, 3}, {2, 17, 70}, {3, 49, 16}, {5, 1, 7}, {5, 33, 0}, {7, 13, 11}, {8, 48, 32}, {9, 50, 385}, {12, 97, 33},
            {13, 47, 20}, {20, 31, 800}, {33, 16, 5}, {64, 64, 16}, {65, 130, 129}, {201, 53, 40}, {17, 900, 19}, {14, 50, 1537},
            {13, 700, 1600}
        };
        for (var size : sizes) {
            for (int variant = 0; variant < 16; variant++) {
                var spec = MatmulSpec.of(size[0], size[1], size[2], (variant & 1) != 0, (variant & 2) != 0);
                check(spec, (variant & 4) != 0, (variant & 8) != 0);
            }
        }
    }

    @Test
    void batchesWithSharedAndOwnMatrices() {
        for (long m : new long[] {3, 40}) {
            for (int variant = 0; variant < 4; variant++) {
                boolean ta = (variant & 1) != 0;
                boolean tb = (variant & 2) != 0;
                check(new MatmulSpec(5, m, 19, 23, ta, tb, m * 23, 19 * 23), false, false);
                check(new MatmulSpec(5, m, 19, 23, ta, tb, 0, 19 * 23), true, false);
                check(new MatmulSpec(5, m, 19, 23, ta, tb, m * 23, 0), true, true);
                check(new MatmulSpec(5, m, 19, 23, ta, tb, 0, 0), false, true);
            }
        }
        check(new MatmulSpec(2, 210, 190, 110, false, true, 210 * 110, 190 * 110), true, false);
    }

    /// Against sums in double, and bit for bit between 1, 2 and 3 threads.
    private void check(MatmulSpec s, boolean withBias, boolean accumulate) {
        float[] a = values(s.strideA() * (s.batch() - 1) + s.m() * s.k());
        float[] b = values(s.strideB() * (s.batch() - 1) + s.k() * s.n());
        float[] bias = withBias ? values(s.n()) : null;
        float[] before = values(s.batch() * s.m() * s.n());
        float[] first = run(1, before, a, b, bias, s, accumulate);
        for (long i = 0, at = 0; i < s.batch(); i++) {
            for (long r = 0; r < s.m(); r++) {
                for (long c = 0; c < s.n(); c++, at++) {
                    double sum = (withBias ? bias[(int) c] : 0) + (accumulate ? before[(int) at] : 0);
                    for (long k = 0; k < s.k(); k++) {
                        sum += (double) a[(int) (i * s.strideA() + (s.transposeA() ? k * s.m() + r : r * s.k() + k))]
                                * b[(int) (i * s.strideB() + (s.transposeB() ? c * s.k() + k : k * s.n() + c))];
                    }
                    assertEquals(sum, first[(int) at], 2e-6 * (5 + s.k()), s + " at " + i + ", " + r + ", " + c);
                }
            }
        }
        assertArrayEquals(first, run(2, before, a, b, bias, s, accumulate), 0f, "2 threads: " + s);
        assertArrayEquals(first, run(3, before, a, b, bias, s, accumulate), 0f, "3 threads: " + s);
    }

    private static float[] run(int threads, float[] before, float[] a, float[] b, float[] bias, MatmulSpec s, boolean accumulate) {
        try (var arena = Arena.ofShared(); var parallel = new Parallel(threads)) {
            var y = segment(arena, before);
            Gemm.matmul(
                    parallel, y, segment(arena, a), segment(arena, b), bias == null ? null : segment(arena, bias), s, accumulate);
            return y.toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    static MemorySegment segment(Arena arena, float[] values) {
        var segment = arena.allocate(Math.max(1, values.length) * 4L, 64).asSlice(0, values.length * 4L);
        MemorySegment.copy(values, 0, segment, ValueLayout.JAVA_FLOAT, 0, values.length);
        return segment;
    }

    private float[] values(long size) {
        var v = new float[(int) size];
        for (int i = 0; i < v.length; i++) v[i] = (float) random.nextDouble(-1, 1);
        return v;
    }
}
