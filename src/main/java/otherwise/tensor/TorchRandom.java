package otherwise.tensor;

/// PyTorch's CPU generator: the 32-bit Mersenne Twister (Matsumoto & Nishimura 1998), and the two ways in which `torch.randn` turns its
/// words into normal numbers.
///
/// From 16 elements on, blocks of 16 uniform numbers become eight pairs by Box & Muller in single precision; a rest that fills no block is
/// drawn anew as the last 16 elements. Below 16 elements, pairs are made in double precision, one number at a time, and the second of a
/// pair waits for the next call. PyTorch evaluates the block form with vectorised approximations: numbers agree to about 1e-6.
public final class TorchRandom implements Random {
    private static final int N = 624;
    private static final int M = 397;

    private final int[] state = new int[N];
    private int at = N;
    private double waiting = Double.NaN;

    TorchRandom(long seed) {
        state[0] = (int) seed;
        for (int i = 1; i < N; i++) state[i] = 1812433253 * (state[i - 1] ^ (state[i - 1] >>> 30)) + i;
    }

    private int word() {
        if (at == N) {
            for (int i = 0; i < N; i++) {
                int y = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7FFFFFFF);
                state[i] = state[(i + M) % N] ^ (y >>> 1) ^ ((y & 1) != 0 ? 0x9908B0DF : 0);
            }
            at = 0;
        }
        int y = state[at++];
        y ^= y >>> 11;
        y ^= (y << 7) & 0x9D2C5680;
        y ^= (y << 15) & 0xEFC60000;
        return y ^ (y >>> 18);
    }

    private float uniform24() {
        return (word() & 0xFFFFFF) * 0x1p-24f;
    }

    /// 53 bits of two words, the first one high.
    private double uniform53() {
        long high = word() & 0xFFFFFFFFL;
        long low = word() & 0xFFFFFFFFL;
        return ((high << 32 | low) & ((1L << 53) - 1)) * 0x1p-53;
    }

    @Override
    public float[] uniform(int n) {
        var u = new float[n];
        for (int i = 0; i < n; i++) u[i] = uniform24();
        return u;
    }

    @Override
    public float[] normal(int n) {
        if (n < 16) return oneByOne(n);
        var z = uniform(n);
        for (int i = 0; i + 16 <= n; i += 16) block(z, i);
        if (n % 16 != 0) {
            for (int i = n - 16; i < n; i++) z[i] = uniform24();
            block(z, n - 16);
        }
        return z;
    }

    private static void block(float[] z, int from) {
        for (int i = from; i < from + 8; i++) {
            float radius = (float) Math.sqrt(-2 * (float) Math.log(1 - z[i]));
            float angle = (float) (2 * Math.PI) * z[i + 8];
            z[i] = radius * (float) Math.cos(angle);
            z[i + 8] = radius * (float) Math.sin(angle);
        }
    }

    private float[] oneByOne(int n) {
        var z = new float[n];
        for (int i = 0; i < n; i++) {
            if (!Double.isNaN(waiting)) {
                z[i] = (float) waiting;
                waiting = Double.NaN;
                continue;
            }
            double angle = 2 * Math.PI * uniform53();
            double radius = Math.sqrt(-2 * Math.log1p(-uniform53()));
            z[i] = (float) (radius * Math.cos(angle));
            waiting = radius * Math.sin(angle);
        }
        return z;
    }
}
