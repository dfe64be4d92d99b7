package otherwise.tensor;

import otherwise.backend.Backend;
import otherwise.backend.Philox4x32;
import otherwise.backend.Shape;

/// A stream of the generator [Philox4x32]. A draw begins with a counter of its own, whatever the one before left over, so that a device can
/// fill its memory by itself, and the host gets the same numbers.
public final class Philox implements Random {
    private final long seed;
    private final long stream;
    private long counter;

    Philox(long seed, long stream) {
        this.seed = seed;
        this.stream = stream;
    }

    /// The first of the counters that give the next `n` numbers.
    private long take(long n) {
        long first = counter;
        counter += Math.ceilDiv(n, Philox4x32.EACH);
        return first;
    }

    @Override
    public float[] uniform(int n) {
        return drawn(n, Philox4x32::uniform);
    }

    @Override
    public float[] normal(int n) {
        return drawn(n, Philox4x32::normal);
    }

    private float[] drawn(int n, Philox4x32.Distribution distribution) {
        long first = take(n);
        var y = new float[n];
        var four = new float[Philox4x32.EACH];
        for (int i = 0; i < n; i += four.length) {
            distribution.draw(four, seed, stream, first + i / four.length);
            System.arraycopy(four, 0, y, i, Math.min(four.length, n - i));
        }
        return y;
    }

    /// The device draws.
    @Override
    public Tensor uniform(Backend backend, long... dims) {
        var y = Tensor.blank(backend, Shape.of(dims));
        backend.uniform(y.data(), seed, stream, take(y.size()));
        return y;
    }

    /// The device draws.
    @Override
    public Tensor normal(Backend backend, long... dims) {
        var y = Tensor.blank(backend, Shape.of(dims));
        backend.normal(y.data(), seed, stream, take(y.size()));
        return y;
    }
}
