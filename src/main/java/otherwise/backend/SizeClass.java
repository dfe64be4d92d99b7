package otherwise.backend;

/// The sizes in which a pool hands out memory: four an octave, so that what one iteration frees fits what the next one asks for. Of large pieces
/// there are few, of sizes that come again exactly: sixteen an octave, since what is lost is more than what fits.
public final class SizeClass {
    /// Every piece begins at a multiple of this many bytes.
    public static final long ALIGNMENT = 64;

    private static final long LARGE = 16L << 20;

    private SizeClass() {}

    /// The bytes that are taken for `bytes`: at most a quarter more, and of large pieces a sixteenth.
    public static long of(long bytes) {
        long b = Math.max(bytes, ALIGNMENT);
        long step = Math.max(ALIGNMENT, Long.highestOneBit(b) >> (b < LARGE ? 2 : 4));
        return (b + step - 1) / step * step;
    }
}
