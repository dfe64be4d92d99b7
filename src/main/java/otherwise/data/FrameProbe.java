package otherwise.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import otherwise.data.ShapeMoving.Split;

/// What a single frame reveals of the class: simple classifiers are trained on one frame of each clip alone, for one frame after another.
/// Chance is 0.25. Frame 0 must stay there, since all classes share its distribution; later frames climb, since an object that has gone
/// left is, on average, further left.
///
/// Two probes, because neither alone is a bound: *position* is told the truth about where and how large the object is (k nearest
/// neighbours, nearly the best that position can do) and sees nothing else; *pixels* sees the frame at 16×16 (multinomial logistic
/// regression) and would find a give-away that is not position.
public final class FrameProbe {
    private static final int SIDE = 16;
    private static final int FEATURES = SIDE * SIDE * 3 + 1;
    private static final int CLASSES = ShapeMoving.CLASSES.size();
    private static final int EPOCHS = 12;
    private static final int BATCH = 32;

    private FrameProbe() {}

    /// One frame's held-out accuracies.
    public record Reveal(int frame, double position, double pixels) {}

    /// The accuracies at every second frame (at nine frames evenly, for longer clips), after training on `train` clips and counting on
    /// `test` held-out ones.
    ///
    /// @throws IllegalArgumentException if there are fewer than 100 clips to train or to test on
    public static List<Reveal> curve(ShapeMoving data, long seed, int train, int test) {
        if (train < 100 || test < 100) {
            throw new IllegalArgumentException("a probe of %d clips tested on %d: at least 100 of each".formatted(train, test));
        }
        int last = data.preset().frames() - 1;
        int steps = Math.min(8, last);
        int[] frames = new int[steps + 1];
        for (int i = 0; i <= steps; i++) frames[i] = i * last / steps;

        Sample[] known = samples(data, seed, Split.TRAIN, train, frames);
        Sample[] asked = samples(data, seed, Split.TEST, test, frames);
        var curve = new ArrayList<Reveal>();
        for (int i = 0; i < frames.length; i++) {
            curve.add(new Reveal(frames[i], positionAccuracy(known, asked, frames[i]), pixelAccuracy(known, asked, i)));
        }
        return curve;
    }

    /// A clip's scene, and its probed frames made small: `[frames, 16, 16, 3]` bytes.
    private record Sample(Scene scene, byte[] small) {

        /// Where the object is and how far it reaches, in shares of the picture: what bounds it to its place.
        double[] position(int frame) {
            double side = Math.min(scene.height(), scene.width());
            return new double[] {
                scene.x(frame) / side, scene.y(frame) / side, scene.shape().reach() * scene.size() / side,
            };
        }

        void pixels(int i, float[] into) {
            int start = i * (FEATURES - 1);
            for (int k = 0; k < FEATURES - 1; k++) into[k] = (small[start + k] & 255) / 127.5f - 1;
            into[FEATURES - 1] = 1;
        }
    }

    private static Sample[] samples(ShapeMoving data, long seed, Split split, int count, int[] frames) {
        Sample[] samples = new Sample[count];
        int height = data.preset().height();
        int width = data.preset().width();
        byte[] rgb = new byte[data.preset().frames() * height * width * 3];
        for (int k = 0; k < count; k++) {
            Scene scene = data.scene(seed, data.index(split, k));
            scene.renderInto(rgb, 0);
            byte[] small = new byte[frames.length * (FEATURES - 1)];
            for (int i = 0; i < frames.length; i++) shrink(rgb, frames[i] * height * width * 3, height, width, small, i * (FEATURES - 1));
            samples[k] = new Sample(scene, small);
        }
        return samples;
    }

    /// Block means, `[H, W, 3]` to `[16, 16, 3]`.
    private static void shrink(byte[] from, int start, int height, int width, byte[] to, int at) {
        for (int j = 0; j < SIDE; j++) {
            for (int i = 0; i < SIDE; i++) {
                int count = 0;
                int[] sum = new int[3];
                for (int y = j * height / SIDE; y < (j + 1) * height / SIDE; y++) {
                    for (int x = i * width / SIDE; x < (i + 1) * width / SIDE; x++, count++) {
                        for (int c = 0; c < 3; c++) sum[c] += from[start + (y * width + x) * 3 + c] & 255;
                    }
                }
                for (int c = 0; c < 3; c++) to[at + (j * SIDE + i) * 3 + c] = (byte) (sum[c] / count);
            }
        }
    }

    private static double positionAccuracy(Sample[] known, Sample[] asked, int frame) {
        int k = Math.max(10, (int) (2 * Math.sqrt(known.length)) / 3);
        double[][] places = Arrays.stream(known).map(s -> s.position(frame)).toArray(double[][]::new);
        int right = 0;
        for (Sample question : asked) {
            double[] at = question.position(frame);
            double[] nearest = new double[k];
            int[] labels = new int[k];
            Arrays.fill(nearest, Double.MAX_VALUE);
            for (int n = 0; n < places.length; n++) {
                double d = 0;
                for (int f = 0; f < at.length; f++) d += (at[f] - places[n][f]) * (at[f] - places[n][f]);
                if (d >= nearest[k - 1]) continue;
                int slot = k - 1;
                while (slot > 0 && nearest[slot - 1] > d) {
                    nearest[slot] = nearest[slot - 1];
                    labels[slot] = labels[--slot];
                }
                nearest[slot] = d;
                labels[slot] = known[n].scene().label();
            }
            int[] votes = new int[CLASSES];
            for (int label : labels) votes[label]++;
            int best = 0;
            for (int c = 1; c < CLASSES; c++) if (votes[c] > votes[best]) best = c;
            if (best == question.scene().label()) right++;
        }
        return right / (double) asked.length;
    }

    /// Softmax regression by Adam, small steps and a little weight decay; the order of the samples is fixed.
    private static double pixelAccuracy(Sample[] known, Sample[] asked, int i) {
        int size = CLASSES * FEATURES;
        float[] weights = new float[size];
        float[] gradient = new float[size];
        float[] mean = new float[size];
        float[] square = new float[size];
        float[] pixels = new float[FEATURES];
        var order = new Draw(known.length, i, 0);
        int step = 0;
        for (int epoch = 0; epoch < EPOCHS; epoch++) {
            for (int from = 0; from + BATCH <= known.length; from += BATCH) {
                Arrays.fill(gradient, 0);
                for (int n = 0; n < BATCH; n++) {
                    Sample sample = known[order.below(known.length)];
                    sample.pixels(i, pixels);
                    double[] p = probabilities(weights, pixels);
                    for (int c = 0; c < CLASSES; c++) {
                        float error = (float) (p[c] - (c == sample.scene().label() ? 1 : 0)) / BATCH;
                        for (int f = 0; f < FEATURES; f++) gradient[c * FEATURES + f] += error * pixels[f];
                    }
                }
                step++;
                float rate = (float) (2e-3 * Math.sqrt(1 - Math.pow(0.999, step)) / (1 - Math.pow(0.9, step)));
                for (int w = 0; w < size; w++) {
                    mean[w] += 0.1f * (gradient[w] - mean[w]);
                    square[w] += 0.001f * (gradient[w] * gradient[w] - square[w]);
                    weights[w] -= rate * mean[w] / ((float) Math.sqrt(square[w]) + 1e-8f) + 2e-5f * weights[w];
                }
            }
        }
        int right = 0;
        for (Sample sample : asked) {
            sample.pixels(i, pixels);
            double[] p = probabilities(weights, pixels);
            int best = 0;
            for (int c = 1; c < CLASSES; c++) if (p[c] > p[best]) best = c;
            if (best == sample.scene().label()) right++;
        }
        return right / (double) asked.length;
    }

    private static double[] probabilities(float[] weights, float[] pixels) {
        double[] p = new double[CLASSES];
        double top = Double.NEGATIVE_INFINITY;
        for (int c = 0; c < CLASSES; c++) {
            float sum = 0;
            for (int f = 0; f < FEATURES; f++) sum += weights[c * FEATURES + f] * pixels[f];
            p[c] = sum;
            top = Math.max(top, sum);
        }
        double total = 0;
        for (int c = 0; c < CLASSES; c++) total += p[c] = Math.exp(p[c] - top);
        for (int c = 0; c < CLASSES; c++) p[c] /= total;
        return p;
    }
}
