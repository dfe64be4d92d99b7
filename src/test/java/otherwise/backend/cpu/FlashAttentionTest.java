package otherwise.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import otherwise.backend.AttentionSpec;

class FlashAttentionTest {
    private final SplittableRandom random = new SplittableRandom(3);

    @Test
    void lengthsWidthsAndMasks() {
        for (var s : List.of(
                new AttentionSpec(1, 1, 1, 1, 1, 1, null),
                new AttentionSpec(2, 3, 5, 7, 4, 0.5, null),
                new AttentionSpec(2, 2, 80, 80, 32, 0.18, null),
                new AttentionSpec(1, 2, 49, 200, 20, -0.3, null),
                new AttentionSpec(1, 1, 500, 401, 17, 0.25, null),
                new AttentionSpec(1, 1, 9, 10, 400, 0.05, null),
                new AttentionSpec(4, 2, 13, 50, 8, 0.4, new long[] {50, 0, 1, 33}),
                new AttentionSpec(1, 1, 3, 0, 8, 1, null))) {
            check(s, 1);
        }
    }

    @Test
    void scoresFarBeyondTheRangeOfExp() {
        check(new AttentionSpec(1, 2, 60, 250, 16, 1, null), 12);
    }

    /// Against sums in double, and bit for bit between 1, 2 and 3 threads.
    private void check(AttentionSpec s, double size) {
        float[] q = values(s.batch() * s.length() * s.heads() * s.width(), size);
        float[] k = values(s.batch() * s.keys() * s.heads() * s.width(), size);
        float[] v = values(k.length, 1);
        float[] dy = values(q.length, 1);
        var expected = reference(s, q, k, v, dy);
        var one = run(1, s, q, k, v, dy);
        var names = List.of("y", "logsumexp", "dq", "dk", "dv");
        for (int n = 0; n < one.length; n++) {
            double largest = 1e-3;
            for (double e : expected[n]) if (Double.isFinite(e)) largest = Math.max(largest, Math.abs(e));
            for (int i = 0; i < one[n].length; i++) {
                double e = expected[n][i];
                double tolerance = Double.isFinite(e) ? 5e-6 * size * largest : 0;
                assertEquals(e, one[n][i], tolerance, names.get(n) + " at " + i + " of " + s);
            }
        }
        for (int threads = 2; threads <= 3; threads++) {
            var more = run(threads, s, q, k, v, dy);
            for (int n = 0; n < one.length; n++) assertArrayEquals(one[n], more[n], 0f, threads + " threads: " + names.get(n) + " of " + s);
        }
    }

    private static double[][] reference(AttentionSpec s, float[] q, float[] k, float[] v, float[] dy) {
        int d = (int) s.width();
        int stride = (int) s.heads() * d;
        var y = new double[q.length];
        var lse = new double[(int) (s.batch() * s.heads() * s.length())];
        var dq = new double[q.length];
        var dk = new double[k.length];
        var dv = new double[k.length];
        for (int b = 0; b < s.batch(); b++)
            for (int h = 0; h < s.heads(); h++)
                for (int l = 0; l < s.length(); l++) {
                    int keys = (int) s.keysOf(b);
                    int at = (int) ((b * s.length() + l) * stride + (long) h * d);
                    int first = (int) (b * s.keys() * stride + (long) h * d);
                    double[] p = new double[keys];
                    double max = Double.NEGATIVE_INFINITY;
                    for (int j = 0; j < keys; j++) {
                        for (int i = 0; i < d; i++) p[j] += s.scale() * q[at + i] * k[first + j * stride + i];
                        max = Math.max(max, p[j]);
                    }
                    double sum = 0;
                    for (int j = 0; j < keys; j++) sum += p[j] = Math.exp(p[j] - max);
                    lse[(int) ((b * s.heads() + h) * s.length() + l)] = max + Math.log(sum);
                    double delta = 0;
                    double[] dp = new double[keys];
                    for (int j = 0; j < keys; j++) {
                        p[j] /= sum;
                        for (int i = 0; i < d; i++) {
                            y[at + i] += p[j] * v[first + j * stride + i];
                            dv[first + j * stride + i] += p[j] * dy[at + i];
                            dp[j] += dy[at + i] * (double) v[first + j * stride + i];
                        }
                        delta += dp[j] * p[j];
                    }
                    for (int j = 0; j < keys; j++)
                        for (int i = 0; i < d; i++) {
                            double ds = s.scale() * p[j] * (dp[j] - delta);
                            dq[at + i] += ds * k[first + j * stride + i];
                            dk[first + j * stride + i] += ds * q[at + i];
                        }
                }
        return new double[][] {y, lse, dq, dk, dv};
    }

    private static float[][] run(int threads, AttentionSpec s, float[] q, float[] k, float[] v, float[] dy) {
        try (var arena = Arena.ofShared(); var parallel = new Parallel(threads)) {
            var qs = GemmTest.segment(arena, q);
            var ks = GemmTest.segment(arena, k);
            var vs = GemmTest.segment(arena, v);
            var dys = GemmTest.segment(arena, dy);
            // Results start from rubbish: whatever is not written shows.
            var y = GemmTest.segment(arena, q).fill((byte) 7);
            var lse = GemmTest.segment(arena, new float[(int) (s.batch() * s.heads() * s.length())]).fill((byte) 7);
            var dq = GemmTest.segment(arena, q).fill((byte) 7);
            var dk = GemmTest.segment(arena, k).fill((byte) 7);
            var dv = GemmTest.segment(arena, k).fill((byte) 7);
            FlashAttention.forward(parallel, y, lse, qs, ks, vs, s);
            FlashAttention.backward(parallel, dq, dk, dv, dys, y, lse, qs, ks, vs, s);
            return new float[][] {
                y.toArray(ValueLayout.JAVA_FLOAT), lse.toArray(ValueLayout.JAVA_FLOAT), dq.toArray(ValueLayout.JAVA_FLOAT),
                dk.toArray(ValueLayout.JAVA_FLOAT), dv.toArray(ValueLayout.JAVA_FLOAT)
            };
        }
    }

    private float[] values(long size, double range) {
        var v = new float[(int) size];
        for (int i = 0; i < v.length; i++) v[i] = (float) random.nextDouble(-range, range);
        return v;
    }
}
