package otherwise.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import otherwise.backend.ConvSpec;

class Conv3dTest {
    private final SplittableRandom random = new SplittableRandom(2);

    @Test
    void kernelsStridesAndPads() {
        for (var s : List.of(
                new ConvSpec(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0),
                new ConvSpec(2, 3, 8, 5, 7, 6, 3, 3, 3, 1, 1, 1, 2, 0, 1, 1, 1, 1),
                new ConvSpec(1, 5, 13, 4, 9, 65, 1, 3, 3, 1, 1, 1, 0, 0, 1, 1, 1, 1),
                new ConvSpec(2, 9, 3, 3, 5, 4, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0),
                new ConvSpec(1, 4, 9, 6, 3, 20, 3, 1, 1, 1, 1, 1, 2, 0, 0, 0, 0, 0),
                new ConvSpec(2, 8, 8, 2, 9, 11, 1, 3, 3, 1, 2, 2, 0, 0, 0, 1, 0, 1),
                new ConvSpec(1, 17, 10, 7, 4, 5, 3, 1, 1, 2, 1, 1, 1, 1, 0, 0, 0, 0),
                new ConvSpec(1, 4, 21, 2, 8, 6, 1, 2, 2, 1, 2, 2, 0, 0, 0, 0, 0, 0),
                new ConvSpec(2, 3, 5, 5, 9, 10, 2, 4, 4, 2, 4, 4, 0, 0, 0, 0, 0, 0),
                new ConvSpec(1, 2, 3, 5, 7, 8, 1, 2, 1, 3, 1, 2, 0, 0, 0, 0, 0, 0),
                new ConvSpec(1, 2, 3, 6, 8, 9, 2, 3, 4, 3, 2, 3, 4, 1, 2, 3, 5, 0),
                new ConvSpec(1, 40, 33, 3, 6, 7, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1),
                new ConvSpec(3, 16, 16, 9, 16, 16, 3, 3, 3, 1, 1, 1, 2, 0, 1, 1, 1, 1))) {
            check(s, true);
            check(s, false);
        }
    }

    /// Against sums in double, and bit for bit between 1, 2 and 3 threads.
    private void check(ConvSpec s, boolean withBias) {
        float[] x = values(s.batch() * s.inputs() * s.t() * s.h() * s.w());
        float[] w = values(s.outputs() * s.taps());
        float[] b = withBias ? values(s.outputs()) : null;
        float[] dy = values(s.batch() * s.outputs() * s.outT() * s.outH() * s.outW());
        double[] y = new double[dy.length];
        double[] dx = new double[x.length];
        double[] dw = new double[w.length];
        double[] db = new double[(int) s.outputs()];
        reference(s, x, w, b, dy, y, dx, dw, db);
        var one = run(1, s, x, w, b, dy);
        compare("y " + s, y, one[0], 2e-6 * (3 + Math.sqrt((double) s.taps())));
        compare("dx " + s, dx, one[1], 2e-6 * (3 + Math.sqrt((double) s.outputs() * s.taps() / s.inputs())));
        double terms = (double) dy.length / s.outputs();
        compare("dw " + s, dw, one[2], 3e-6 * (3 + Math.sqrt(terms)));
        if (withBias) compare("db " + s, db, one[3], 3e-6 * (3 + Math.sqrt(terms)));
        for (int threads = 2; threads <= 3; threads++) {
            var more = run(threads, s, x, w, b, dy);
            for (int i = 0; i < one.length; i++) assertArrayEquals(one[i], more[i], 0f, threads + " threads: " + s);
        }
    }

    private static void reference(
            ConvSpec s, float[] x, float[] w, float[] b, float[] dy, double[] y, double[] dx, double[] dw, double[] db) {
        int at = 0;
        for (int n = 0; n < s.batch(); n++)
            for (int o = 0; o < s.outputs(); o++)
                for (int t = 0; t < s.outT(); t++)
                    for (int h = 0; h < s.outH(); h++)
                        for (int v = 0; v < s.outW(); v++, at++) {
                            y[at] = b == null ? 0 : b[o];
                            db[o] += dy[at];
                            int k = (int) (o * s.taps());
                            for (int i = 0; i < s.inputs(); i++)
                                for (int dt = 0; dt < s.kernelT(); dt++)
                                    for (int dh = 0; dh < s.kernelH(); dh++)
                                        for (int dv = 0; dv < s.kernelW(); dv++, k++) {
                                            long it = (long) t * s.strideT() + dt - s.frontT();
                                            long ih = (long) h * s.strideH() + dh - s.frontH();
                                            long iv = (long) v * s.strideW() + dv - s.frontW();
                                            if (it < 0 || it >= s.t() || ih < 0 || ih >= s.h() || iv < 0 || iv >= s.w()) continue;
                                            int p = (int) ((((n * s.inputs() + i) * s.t() + it) * s.h() + ih) * s.w() + iv);
                                            y[at] += (double) w[k] * x[p];
                                            dx[p] += (double) w[k] * dy[at];
                                            dw[k] += (double) x[p] * dy[at];
                                        }
                        }
    }

    private static void compare(String what, double[] expected, float[] found, double tolerance) {
        for (int i = 0; i < expected.length; i++) assertEquals(expected[i], found[i], tolerance, what + " at " + i);
    }

    private static float[][] run(int threads, ConvSpec s, float[] x, float[] w, float[] b, float[] dy) {
        try (var arena = Arena.ofShared(); var parallel = new Parallel(threads)) {
            var xs = GemmTest.segment(arena, x);
            var ws = GemmTest.segment(arena, w);
            var bs = b == null ? null : GemmTest.segment(arena, b);
            var dys = GemmTest.segment(arena, dy);
            // Results start from rubbish: whatever is not written shows.
            var y = GemmTest.segment(arena, dy).fill((byte) 7);
            var dx = GemmTest.segment(arena, x).fill((byte) 7);
            var dw = GemmTest.segment(arena, w).fill((byte) 7);
            var db = GemmTest.segment(arena, new float[(int) s.outputs()]).fill((byte) 7);
            Conv3d.forward(parallel, y, xs, ws, bs, s);
            Conv3d.toInput(parallel, dx, dys, ws, s);
            Conv3d.toWeight(parallel, dw, b == null ? null : db, dys, xs, s);
            return new float[][] {
                y.toArray(ValueLayout.JAVA_FLOAT), dx.toArray(ValueLayout.JAVA_FLOAT), dw.toArray(ValueLayout.JAVA_FLOAT),
                db.toArray(ValueLayout.JAVA_FLOAT)
            };
        }
    }

    private float[] values(long size) {
        var v = new float[(int) size];
        for (int i = 0; i < v.length; i++) v[i] = (float) random.nextDouble(-1, 1);
        return v;
    }
}
