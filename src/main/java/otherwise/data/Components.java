package otherwise.data;

/// Connected regions of a thresholded picture; pixels that touch by a corner are connected.
final class Components {

    private Components() {}

    /// Numbers the regions where `share > threshold` from 1; 0 elsewhere. `[H, W]`.
    static int[] label(float[] share, int height, int width, float threshold) {
        int[] part = new int[share.length];
        int[] stack = new int[share.length];
        int next = 0;
        for (int seed = 0; seed < share.length; seed++) {
            if (part[seed] != 0 || share[seed] <= threshold) continue;
            next++;
            int top = 0;
            part[seed] = next;
            stack[top++] = seed;
            while (top > 0) {
                int p = stack[--top];
                for (int y = Math.max(0, p / width - 1); y <= Math.min(height - 1, p / width + 1); y++) {
                    for (int x = Math.max(0, p % width - 1); x <= Math.min(width - 1, p % width + 1); x++) {
                        int q = y * width + x;
                        if (part[q] != 0 || share[q] <= threshold) continue;
                        part[q] = next;
                        stack[top++] = q;
                    }
                }
            }
        }
        return part;
    }

    /// The largest region's number; 0 if there is none.
    static int largest(int[] part) {
        int[] sizes = sizes(part);
        int best = 0;
        for (int i = 1; i < sizes.length; i++) if (best == 0 || sizes[i] > sizes[best]) best = i;
        return best;
    }

    /// How many regions have at least `speck` times the largest one's pixels.
    static int count(int[] part, double speck) {
        int[] sizes = sizes(part);
        int largest = largest(part);
        int count = 0;
        for (int i = 1; i < sizes.length; i++) if (sizes[i] >= speck * sizes[largest]) count++;
        return count;
    }

    /// The pixels of region `label` and their neighbours.
    static boolean[] grown(int[] part, int label, int height, int width) {
        boolean[] grown = new boolean[part.length];
        for (int p = 0; p < part.length; p++) {
            if (part[p] != label) continue;
            for (int y = Math.max(0, p / width - 1); y <= Math.min(height - 1, p / width + 1); y++) {
                for (int x = Math.max(0, p % width - 1); x <= Math.min(width - 1, p % width + 1); x++) grown[y * width + x] = true;
            }
        }
        return grown;
    }

    private static int[] sizes(int[] part) {
        int most = 0;
        for (int p : part) most = Math.max(most, p);
        int[] sizes = new int[most + 1];
        for (int p : part) if (p > 0) sizes[p]++;
        return sizes;
    }
}
