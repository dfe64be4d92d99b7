package otherwise.data;

/// A stream of random numbers that is fixed by `(seed, index, stream)` and nothing else, so that clip 40,000 needs no clip before it.
///
/// SplitMix64 (Steele, Lea, Flood 2014): the state walks in steps of the golden ratio, the output is a mixed copy of it. The starting
/// state is itself mixed from the three keys, which keeps neighbouring clips' streams unrelated.
final class Draw {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private long state;

    Draw(long seed, long index, long stream) {
        state = mix(mix(mix(seed + GOLDEN) ^ (index * 0xD1342543DE82EF95L + GOLDEN)) + stream * GOLDEN);
    }

    /// The next 64 random bits.
    long bits() {
        state += GOLDEN;
        return mix(state);
    }

    /// Uniform in `[0, 1)`, 53 bits.
    double uniform() {
        return (bits() >>> 11) * 0x1p-53;
    }

    /// Uniform in `[low, high)`.
    double between(double low, double high) {
        return low + (high - low) * uniform();
    }

    /// Uniform in `0 .. n-1`.
    int below(int n) {
        return (int) (uniform() * n);
    }

    static long mix(long z) {
        long a = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        long b = (a ^ (a >>> 27)) * 0x94D049BB133111EBL;
        return b ^ (b >>> 31);
    }
}
