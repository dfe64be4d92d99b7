package otherwise.data;

import java.util.Arrays;

/// The still background of a clip and the colour of what moves before it.
///
/// @param behind the background, `[H, W, 3]` in `[0, 1]`
/// @param ink the moving object's colour
/// @param contrast median distance of the object's colour from the background in its way
record Still(float[] behind, float[] ink, double contrast) {

    private static final int ROUNDS = 60;

    /// Estimates both from `frames` (each `[H, W, 3]`), given the pixels where something `moves`; null if what moves has no colour of
    /// its own.
    ///
    /// A temporal median alone fails here: when the way is shorter than the object is wide, pixels in the middle never show the
    /// background, and many show it in less than half of the frames. So: fill the swept box from its surroundings (rough, but right to
    /// within the texture), take as the object's colour what stands out most from that, and with the colour known pick at each
    /// pixel the frames that show the background.
    static Still of(float[][] frames, int height, int width, boolean[] moves) {
        int n = height * width;
        boolean[] swept = box(moves, height, width, 2);
        float[] behind = new float[n * 3];
        float[] samples = new float[frames.length];
        for (int p = 0; p < n; p++) {
            if (swept[p]) continue;
            for (int c = 0; c < 3; c++) {
                for (int t = 0; t < frames.length; t++) samples[t] = frames[t][p * 3 + c];
                behind[p * 3 + c] = median(samples, frames.length);
            }
        }
        fill(behind, swept, height, width);

        float[] ink = standingOut(frames, behind, moves);
        if (ink == null) return null;

        boolean[] unseen = new boolean[n];
        float[][] channel = new float[3][frames.length];
        for (int p = 0; p < n; p++) {
            if (!swept[p]) continue;
            float farthest = 0;
            for (float[] frame : frames) farthest = Math.max(farthest, distance(frame, ink, p, 0));
            int seen = 0;
            for (float[] frame : frames) {
                // Nearer to the background than to the object, and not in the object's soft edge either.
                float away = distance(frame, ink, p, 0);
                if (away < 0.9f * farthest || away < 1.5f * distance(frame, behind, p)) continue;
                for (int c = 0; c < 3; c++) channel[c][seen] = frame[p * 3 + c];
                seen++;
            }
            unseen[p] = seen < 2;
            for (int c = 0; c < 3 && !unseen[p]; c++) behind[p * 3 + c] = median(channel[c], seen);
        }
        fill(behind, unseen, height, width);

        float[] contrasts = new float[n];
        int count = 0;
        for (int p = 0; p < n; p++) if (moves[p]) contrasts[count++] = distance(behind, ink, p, 0);
        return new Still(behind, ink, median(contrasts, count));
    }

    /// How far each pixel of `frame` lies from the background towards the object's colour, or as far in any other direction: `[H, W]` in `[0, 1]`.
    float[] foreground(float[] frame) {
        float[] share = new float[frame.length / 3];
        for (int p = 0; p < share.length; p++) {
            double reach = Math.max(distance(behind, ink, p, 0), 0.6 * contrast);
            share[p] = (float) Math.min(1, distance(frame, behind, p) / reach);
        }
        return share;
    }

    /// Distance in RGB between pixel `p` of `a` and of `b`.
    static float distance(float[] a, float[] b, int p) {
        return distance(a, b, p, p);
    }

    private static float distance(float[] a, float[] b, int p, int q) {
        float r = a[p * 3] - b[q * 3];
        float g = a[p * 3 + 1] - b[q * 3 + 1];
        float u = a[p * 3 + 2] - b[q * 3 + 2];
        return (float) Math.sqrt(r * r + g * g + u * u);
    }

    /// The median colour of those samples in moving pixels that stand out nearly as far as any.
    private static float[] standingOut(float[][] frames, float[] behind, boolean[] moves) {
        int moving = 0;
        for (boolean m : moves) if (m) moving++;
        float[] distances = new float[moving * frames.length];
        int count = 0;
        for (float[] frame : frames) {
            for (int p = 0; p < moves.length; p++) if (moves[p]) distances[count++] = distance(frame, behind, p);
        }
        float[] sorted = distances.clone();
        Arrays.sort(sorted);
        float far = 0.75f * sorted[sorted.length - 1 - sorted.length / 20];
        if (far < 0.08f) return null;
        float[][] channel = new float[3][count];
        int seen = 0;
        int at = 0;
        for (float[] frame : frames) {
            for (int p = 0; p < moves.length; p++) {
                if (!moves[p] || distances[at++] < far) continue;
                for (int c = 0; c < 3; c++) channel[c][seen] = frame[p * 3 + c];
                seen++;
            }
        }
        return new float[] {median(channel[0], seen), median(channel[1], seen), median(channel[2], seen)};
    }

    /// The bounding box of the set pixels, grown by `margin`.
    private static boolean[] box(boolean[] set, int height, int width, int margin) {
        int top = height;
        int bottom = -1;
        int left = width;
        int right = -1;
        for (int p = 0; p < set.length; p++) {
            if (!set[p]) continue;
            top = Math.min(top, p / width);
            bottom = Math.max(bottom, p / width);
            left = Math.min(left, p % width);
            right = Math.max(right, p % width);
        }
        boolean[] box = new boolean[set.length];
        for (int y = Math.max(0, top - margin); y <= Math.min(height - 1, bottom + margin); y++) {
            Arrays.fill(box, y * width + Math.max(0, left - margin), y * width + Math.min(width - 1, right + margin) + 1, true);
        }
        return box;
    }

    /// Fills the unknown pixels smoothly from the known ones: inwards ring by ring, then relaxed towards Laplace's equation.
    private static void fill(float[] image, boolean[] unknown, int height, int width) {
        int[] ring = new int[unknown.length];
        for (int p = 0; p < ring.length; p++) ring[p] = unknown[p] ? -1 : 0;
        boolean grew = true;
        for (int depth = 1; grew; depth++) {
            grew = false;
            for (int p = 0; p < ring.length; p++) {
                if (ring[p] >= 0 || !average(image, ring, p, depth, height, width)) continue;
                ring[p] = depth;
                grew = true;
            }
        }
        for (int round = 0; round < ROUNDS; round++) {
            for (int p = 0; p < ring.length; p++) if (unknown[p]) average(image, ring, p, Integer.MAX_VALUE, height, width);
        }
    }

    /// Sets pixel `p` to the mean of its neighbours of a ring before `depth`; false if it has none.
    private static boolean average(float[] image, int[] ring, int p, int depth, int height, int width) {
        int x = p % width;
        int y = p / width;
        int count = 0;
        float r = 0;
        float g = 0;
        float b = 0;
        for (int k = 0; k < 4; k++) {
            int nx = x + (k == 0 ? -1 : k == 1 ? 1 : 0);
            int ny = y + (k == 2 ? -1 : k == 3 ? 1 : 0);
            if (nx < 0 || ny < 0 || nx >= width || ny >= height) continue;
            int q = ny * width + nx;
            if (ring[q] < 0 || ring[q] >= depth) continue;
            r += image[q * 3];
            g += image[q * 3 + 1];
            b += image[q * 3 + 2];
            count++;
        }
        if (count == 0) return false;
        image[p * 3] = r / count;
        image[p * 3 + 1] = g / count;
        image[p * 3 + 2] = b / count;
        return true;
    }

    private static float median(float[] values, int count) {
        float[] sorted = Arrays.copyOf(values, count);
        Arrays.sort(sorted);
        return count == 0 ? 0 : sorted[count / 2];
    }
}
