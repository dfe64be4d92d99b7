package otherwise.backend.cpu;

import java.lang.foreign.MemorySegment;
import otherwise.backend.Philox4x32;

/// Random numbers: a piece of the counters at a time, so that every number is the same for any number of threads.
final class Noise {
    /// Counters of one piece of parallel work.
    private static final long GRAIN = 1 << 10;

    private Noise() {}

    static void uniform(Parallel parallel, MemorySegment y, long seed, long stream, long counter, long n) {
        draw(parallel, y, Philox4x32::uniform, seed, stream, counter, n);
    }

    static void normal(Parallel parallel, MemorySegment y, long seed, long stream, long counter, long n) {
        draw(parallel, y, Philox4x32::normal, seed, stream, counter, n);
    }

    private static void draw(Parallel parallel, MemorySegment y, Philox4x32.Distribution distribution, long seed, long stream, long counter,
            long n) {
        parallel.range(Math.ceilDiv(n, Philox4x32.EACH), GRAIN, (from, to) -> {
            var four = new float[Philox4x32.EACH];
            for (long c = from; c < to; c++) {
                distribution.draw(four, seed, stream, counter + c);
                long at = c * four.length;
                for (int k = 0; k < Math.min(four.length, n - at); k++) Lanes.put(y, at + k, four[k]);
            }
        });
    }
}
