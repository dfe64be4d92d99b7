package otherwise.nn;

import java.util.AbstractList;
import java.util.Objects;
import java.util.function.IntFunction;

/// Layers that are read from the checkpoint each time one is asked for, into the innermost scope: a network of any depth takes the memory
/// of the layer that is at work.
///
/// Whoever runs them must ask for a layer inside the scope that ends with it, as
/// [Activations#RECOMPUTE][otherwise.autograd.Activations] does; the way back then reads it once more.
public final class Streamed<T> extends AbstractList<T> {
    private final int size;
    private final IntFunction<T> layer;

    public Streamed(int size, IntFunction<T> layer) {
        this.size = size;
        this.layer = layer;
    }

    @Override
    public T get(int i) {
        return layer.apply(Objects.checkIndex(i, size));
    }

    @Override
    public int size() {
        return size;
    }
}
