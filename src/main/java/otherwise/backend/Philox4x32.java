package otherwise.backend;

/// Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), and the four numbers that a counter gives.
///
/// The generator is a keyed bijection of a 128-bit counter: key = seed, high half of the counter = stream, low half = 0, 1, 2, …; each
/// value gives four 32-bit words. What every device draws is told here; CUDA's side is `kernels/philox.cu`.
public final class Philox4x32 {
    /// Numbers that a counter gives.
    public static final int EACH = 4;

    private static final int M0 = 0xD2511F53;
    private static final int M1 = 0xCD9E8D57;
    private static final int W0 = 0x9E3779B9;
    private static final int W1 = 0xBB67AE85;

    private Philox4x32() {}

    /// [#uniform] or [#normal].
    @FunctionalInterface
    public interface Distribution {
        void draw(float[] four, long seed, long stream, long counter);
    }

    /// The four words that belong to one counter and key, ten rounds on.
    public static int[] words(int[] counter, int[] key) {
        int c0 = counter[0];
        int c1 = counter[1];
        int c2 = counter[2];
        int c3 = counter[3];
        int k0 = key[0];
        int k1 = key[1];
        for (int round = 0; round < 10; round++) {
            long p0 = (M0 & 0xFFFFFFFFL) * (c0 & 0xFFFFFFFFL);
            long p1 = (M1 & 0xFFFFFFFFL) * (c2 & 0xFFFFFFFFL);
            int n0 = (int) (p1 >>> 32) ^ c1 ^ k0;
            int n2 = (int) (p0 >>> 32) ^ c3 ^ k1;
            c1 = (int) p1;
            c3 = (int) p0;
            c0 = n0;
            c2 = n2;
            k0 += W0;
            k1 += W1;
        }
        return new int[] {c0, c1, c2, c3};
    }

    private static int[] words(long seed, long stream, long counter) {
        return words(
                new int[] {(int) counter, (int) (counter >>> 32), (int) stream, (int) (stream >>> 32)},
                new int[] {(int) seed, (int) (seed >>> 32)});
    }

    /// Puts four numbers, uniform in [0, 1), 24 bits each, into `four`.
    public static void uniform(float[] four, long seed, long stream, long counter) {
        var w = words(seed, stream, counter);
        for (int k = 0; k < EACH; k++) four[k] = (w[k] >>> 8) * 0x1p-24f;
    }

    /// Puts four standard normal numbers into `four`: two pairs by Box & Muller, computed in double precision.
    public static void normal(float[] four, long seed, long stream, long counter) {
        var w = words(seed, stream, counter);
        for (int k = 0; k < EACH; k += 2) {
            // u in (0, 1], so that its logarithm exists.
            double radius = Math.sqrt(-2 * Math.log(((w[k] & 0xFFFFFFFFL) + 1) * 0x1p-32));
            double angle = 2 * Math.PI * ((w[k + 1] & 0xFFFFFFFFL) * 0x1p-32);
            four[k] = (float) (radius * Math.cos(angle));
            four[k + 1] = (float) (radius * Math.sin(angle));
        }
    }
}
