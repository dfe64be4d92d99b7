package otherwise.data;

import java.util.Arrays;
import otherwise.io.Video;

/// Finds what moves in a clip by thresholding, and follows its centroid. It knows neither the classifier nor the renderer, so it can
/// judge whether a flipped label came with a real motion.
///
/// It assumes a still background and one moving object of roughly one colour:
/// 1. *where*: pixels that ever differ clearly from frame 0;
/// 2. *behind* ([Still]): the background in the object's way, filled in from around it, then taken from the frames that show it;
/// 3. *what*: a pixel belongs to the object if it is more than half as far from the background as the object's colour is;
/// 4. connected components, centroid, area, colour and centred mask in each frame; a line through the centroids.
public final class Tracker {

    /// Changes below this (distance in RGB, black to white is √3) are noise, not motion.
    private static final double VISIBLE = 0.15;

    /// Net displacement must reach this share of the shorter side.
    private static final double SHORTEST = 1 / 16.0;

    /// Components smaller than this share of the largest one are specks.
    private static final double SPECK = 0.12;

    /// Half the side of the window in which masks are compared, in working pixels.
    private static final int WINDOW = 14;

    private final int frames;
    private final int fullHeight;
    private final int fullWidth;
    private final int shrink;
    private final int height;
    private final int width;
    private final float[][] pixels;

    private Tracker(Video video) {
        if (video.frames() < 4 || Math.min(video.height(), video.width()) < 16) {
            throw new IllegalArgumentException("cannot track in %d frames of %dx%d: at least 4 frames of 16x16"
                    .formatted(video.frames(), video.width(), video.height()));
        }
        // Everything below works at about 64 pixels: large pictures are averaged down, which also removes noise.
        shrink = Math.max(1, Math.min(video.height(), video.width()) / 64);
        frames = video.frames();
        fullHeight = video.height();
        fullWidth = video.width();
        height = fullHeight / shrink;
        width = fullWidth / shrink;
        pixels = new float[frames][height * width * 3];
        byte[] rgb = video.rgb();
        float scale = 1 / (255f * shrink * shrink);
        for (int t = 0; t < frames; t++) {
            for (int y = 0; y < height * shrink; y++) {
                int from = (t * fullHeight + y) * fullWidth * 3;
                int into = y / shrink * width * 3;
                for (int x = 0; x < width * shrink; x++) {
                    for (int c = 0; c < 3; c++) pixels[t][into + x / shrink * 3 + c] += (rgb[from + x * 3 + c] & 255) * scale;
                }
            }
        }
    }

    /// Follows the one moving object of `video`. Where nothing moves the track has no components and no direction.
    ///
    /// @throws IllegalArgumentException if the video has fewer than 4 frames or a side under 16 pixels
    public static Track track(Video video) {
        return new Tracker(video).track();
    }

    private Track track() {
        double[] x = new double[frames];
        double[] y = new double[frames];
        double[] area = new double[frames];
        Arrays.fill(x, Double.NaN);
        Arrays.fill(y, Double.NaN);

        boolean[] moving = moving();
        var still = moving == null ? null : Still.of(pixels, height, width, moving);
        boolean[][] object = new boolean[frames][fullHeight * fullWidth];
        if (still == null) return new Track(x, y, area, 0, 0, 0, 0, 0, -1, object);

        double[][] colors = new double[frames][];
        float[][] masks = new float[frames][];
        int most = 0;
        int fewest = Integer.MAX_VALUE;
        for (int t = 0; t < frames; t++) {
            float[] share = still.foreground(pixels[t]);
            int[] part = Components.label(share, height, width, 0.5f);
            int largest = Components.largest(part);
            int count = Components.count(part, SPECK);
            most = Math.max(most, count);
            fewest = Math.min(fewest, count);
            if (largest == 0) continue;
            boolean[] inside = Components.grown(part, largest, height, width);
            measure(t, share, inside, x, y, area);
            enlarge(inside, object[t]);
            colors[t] = color(pixels[t], share, part, largest);
            masks[t] = centered(share, x[t], y[t]);
        }
        if (fewest == 0) return new Track(scaled(x), scaled(y), squared(area), 0, 0, 0, 1, 1, -1, object);

        double[] fitX = line(x);
        double[] fitY = line(y);
        double dx = fitX[1] * (frames - 1);
        double dy = fitY[1] * (frames - 1);
        double moved = Math.hypot(dx, dy);
        double worst = 0;
        double longest = 0;
        for (int t = 0; t < frames; t++) {
            worst = Math.max(worst, Math.hypot(x[t] - fitX[0] - fitX[1] * t, y[t] - fitY[0] - fitY[1] * t));
            if (t > 0) longest = Math.max(longest, Math.hypot(x[t] - x[t - 1], y[t] - y[t - 1]));
        }
        double objectWidth = 2 * Math.sqrt(area[0] / Math.PI);
        return new Track(
                scaled(x),
                scaled(y),
                squared(area),
                most,
                moved > 0 ? Math.max(0, 1 - worst / moved) : 0,
                Math.max(0, longest - moved / (frames - 1)) / objectWidth,
                colorDrift(colors, still.contrast()),
                shapeDrift(masks),
                direction(dx, dy),
                object);
    }

    /// Pixels that ever differ from frame 0 by clearly more than noise, or null if there are none.
    private boolean[] moving() {
        int n = height * width;
        float[] range = new float[n];
        for (int t = 1; t < frames; t++) {
            for (int p = 0; p < n; p++) range[p] = Math.max(range[p], Still.distance(pixels[t], pixels[0], p));
        }
        float[] sorted = range.clone();
        Arrays.sort(sorted);
        double peak = sorted[n - 1 - n / 200]; // an object that moves changes far more than half a percent of the pixels
        if (peak < VISIBLE) return null;
        double threshold = Math.max(VISIBLE, 0.4 * peak);
        boolean[] moving = new boolean[n];
        for (int p = 0; p < n; p++) moving[p] = range[p] > threshold;
        return moving;
    }

    /// Centroid and area over the component grown by a pixel, so that its soft edge counts for what it covers.
    private void measure(int t, float[] share, boolean[] inside, double[] x, double[] y, double[] area) {
        double sum = 0;
        double sx = 0;
        double sy = 0;
        for (int p = 0; p < share.length; p++) {
            if (!inside[p] || share[p] < 0.15f) continue;
            int row = p / width;
            sum += share[p];
            sx += share[p] * (p % width);
            sy += share[p] * row;
        }
        area[t] = sum;
        x[t] = sx / sum;
        y[t] = sy / sum;
    }

    /// The component's mean colour; well covered pixels count most, since edges hold some background.
    private static double[] color(float[] frame, float[] share, int[] part, int label) {
        double[] mean = new double[3];
        double sum = 0;
        for (int p = 0; p < part.length; p++) {
            if (part[p] != label) continue;
            double weight = share[p] > 0.85f ? 1 : 0.05;
            sum += weight;
            for (int c = 0; c < 3; c++) mean[c] += weight * frame[p * 3 + c];
        }
        for (int c = 0; c < 3; c++) mean[c] /= sum;
        return mean;
    }

    /// The frame's foreground resampled (bilinearly) so that the centroid lies in the middle of the window.
    private float[] centered(float[] share, double cx, double cy) {
        int side = 2 * WINDOW + 1;
        float[] window = new float[side * side];
        int i0 = (int) Math.floor(cx);
        int j0 = (int) Math.floor(cy);
        float fx = (float) (cx - i0);
        float fy = (float) (cy - j0);
        for (int j = 0; j < side; j++) {
            for (int i = 0; i < side; i++) {
                int px = i0 + i - WINDOW;
                int py = j0 + j - WINDOW;
                window[j * side + i] = (1 - fy) * ((1 - fx) * at(share, px, py) + fx * at(share, px + 1, py))
                        + fy * ((1 - fx) * at(share, px, py + 1) + fx * at(share, px + 1, py + 1));
            }
        }
        return window;
    }

    private float at(float[] share, int x, int y) {
        float value = x < 0 || y < 0 || x >= width || y >= height ? 0 : share[y * width + x];
        return value < 0.15f ? 0 : value;
    }

    /// Averages over a quarter of the frames smooth out sub-pixel sampling and noise, which single masks of 150 pixels are full of.
    private double shapeDrift(float[][] masks) {
        int quarter = Math.max(1, frames / 4);
        float[] first = mean(masks, 0, quarter);
        double worst = 0;
        for (int start = quarter; start + quarter <= frames; start++) {
            float[] later = mean(masks, start, quarter);
            double both = 0;
            double either = 0;
            for (int i = 0; i < first.length; i++) {
                both += Math.min(first[i], later[i]);
                either += Math.max(first[i], later[i]);
            }
            worst = Math.max(worst, 1 - both / either);
        }
        return worst;
    }

    private static float[] mean(float[][] masks, int start, int count) {
        float[] mean = new float[masks[start].length];
        for (int t = start; t < start + count; t++) {
            for (int i = 0; i < mean.length; i++) mean[i] += masks[t][i] / count;
        }
        return mean;
    }

    private static double colorDrift(double[][] colors, double contrast) {
        double worst = 0;
        for (double[] color : colors) {
            double dr = color[0] - colors[0][0];
            double dg = color[1] - colors[0][1];
            double db = color[2] - colors[0][2];
            worst = Math.max(worst, Math.sqrt(dr * dr + dg * dg + db * db) / contrast);
        }
        return worst;
    }

    private int direction(double dx, double dy) {
        double along = Math.max(Math.abs(dx), Math.abs(dy));
        double across = Math.min(Math.abs(dx), Math.abs(dy));
        if (along < SHORTEST * Math.min(height, width) || across > along * Math.tan(Math.toRadians(30))) return -1;
        if (Math.abs(dy) > Math.abs(dx)) return dy < 0 ? 0 : 1;
        return dx < 0 ? 2 : 3;
    }

    /// Least squares: `{value at frame 0, change per frame}`.
    private static double[] line(double[] values) {
        int n = values.length;
        double middle = (n - 1) / 2.0;
        double mean = 0;
        double up = 0;
        double down = 0;
        for (int t = 0; t < n; t++) {
            mean += values[t] / n;
            up += (t - middle) * values[t];
            down += (t - middle) * (t - middle);
        }
        return new double[] {mean - up / down * middle, up / down};
    }

    /// From working pixels to the video's: the centre of an averaged block lies between its pixels.
    private double[] scaled(double[] values) {
        return Arrays.stream(values).map(v -> v * shrink + (shrink - 1) / 2.0).toArray();
    }

    private void enlarge(boolean[] inside, boolean[] full) {
        for (int y = 0; y < height * shrink; y++) {
            for (int x = 0; x < width * shrink; x++) full[y * fullWidth + x] = inside[y / shrink * width + x / shrink];
        }
    }

    private double[] squared(double[] areas) {
        return Arrays.stream(areas).map(v -> v * shrink * shrink).toArray();
    }
}
