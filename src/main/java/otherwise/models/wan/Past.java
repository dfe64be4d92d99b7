package otherwise.models.wan;

import java.util.IdentityHashMap;
import java.util.Map;
import otherwise.tensor.Tensor;

/// What causal layers remember of the frames before: all that tells a clip in pieces from a whole clip.
///
/// Each layer keeps its own [Tail] under its own identity, so pieces give exactly what the whole would give.
final class Past implements AutoCloseable {

    /// The last frames that a layer saw, `[B, C, 1 or 2, H, W]`.
    private record Tail(Tensor frames) {

        /// Owns its memory itself, since it outlives the scope of a piece.
        static Tail of(Tensor frames) {
            frames.data().retain();
            return new Tail(frames);
        }

        void free() {
            frames.data().release();
        }
    }

    /// `null` where nothing is remembered.
    private final Map<Object, Tail> tails;

    private Past(Map<Object, Tail> tails) {
        this.tails = tails;
    }

    /// No past, and nothing will be remembered: every call sees a whole clip.
    static Past none() {
        return new Past(null);
    }

    /// The start of a clip that comes in pieces.
    static Past remembered() {
        return new Past(new IdentityHashMap<>());
    }

    /// Whether the layer has seen nothing yet.
    boolean begins(Object layer) {
        return tails == null || !tails.containsKey(layer);
    }

    /// x `[B, C, T, H, W]` behind the frames that the layer remembers.
    Tensor before(Object layer, Tensor x) {
        return begins(layer) ? x : Tensor.concat(2, tails.get(layer).frames, x);
    }

    /// Lets the layer remember the last `n` frames of x, or all if there are fewer.
    void keep(Object layer, Tensor x, long n) {
        if (tails == null || n == 0) return;
        long frames = x.dim(2);
        var before = tails.put(layer, Tail.of(x.slice(2, Math.max(0, frames - n), frames)));
        if (before != null) before.free();
    }

    @Override
    public void close() {
        if (tails == null) return;
        tails.values().forEach(Tail::free);
        tails.clear();
    }
}
