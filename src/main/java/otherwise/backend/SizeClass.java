package otherwise.backend;

/// The sizes in which a pool hands out memory: four an octave, so that what one iteration frees fits what the next one asks for.
public final class SizeClass {
    /// Every piece begins at a multiple of this many bytes.
    public static final long ALIGNMENT = 64;

    private SizeClass() {}

    /// The bytes that are taken for `bytes`: at most a quarter more.
    public static long of(long bytes) {
        long b = Math.max(bytes, ALIGNMENT);
        long step = Math.max(ALIGNMENT, Long.highestOneBit(b) >> 2);
        return (b + step - 1) / step * step;
    }
}
