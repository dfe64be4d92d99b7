package otherwise.tensor;

/// Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
///
/// The generator is a keyed bijection of a 128-bit counter: key = seed, high half of the counter = stream, low half = 0, 1, 2, …; each
/// value gives four 32-bit words. Normal numbers come in pairs by Box & Muller, computed in double precision.
public final class Philox implements Random {
    private static final int M0 = 0xD2511F53;
    private static final int M1 = 0xCD9E8D57;
    private static final int W0 = 0x9E3779B9;
    private static final int W1 = 0xBB67AE85;

    private final long seed;
    private final long stream;
    private long counter;

    Philox(long seed, long stream) {
        this.seed = seed;
        this.stream = stream;
    }

    /// The four words that belong to one counter and key, ten rounds on.
    static int[] words(int[] counter, int[] key) {
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

    private int[] next() {
        long c = counter++;
        return words(
                new int[] {(int) c, (int) (c >>> 32), (int) stream, (int) (stream >>> 32)}, new int[] {(int) seed, (int) (seed >>> 32)});
    }

    /// 24 bits a number.
    @Override
    public float[] uniform(int n) {
        var u = new float[n];
        for (int i = 0; i < n; i += 4) {
            var w = next();
            for (int k = 0; k < 4 && i + k < n; k++) u[i + k] = (w[k] >>> 8) * 0x1p-24f;
        }
        return u;
    }

    @Override
    public float[] normal(int n) {
        var z = new float[n];
        for (int i = 0; i < n; i += 4) {
            var w = next();
            for (int k = 0; k < 4 && i + k < n; k += 2) {
                // u in (0, 1], so that its logarithm exists.
                double radius = Math.sqrt(-2 * Math.log(((w[k] & 0xFFFFFFFFL) + 1) * 0x1p-32));
                double angle = 2 * Math.PI * ((w[k + 1] & 0xFFFFFFFFL) * 0x1p-32);
                z[i + k] = (float) (radius * Math.cos(angle));
                if (i + k + 1 < n) z[i + k + 1] = (float) (radius * Math.sin(angle));
            }
        }
        return z;
    }
}
