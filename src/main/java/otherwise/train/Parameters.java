package otherwise.train;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.backend.ShapeException;
import otherwise.nn.Weights;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// The variables of a network under training, by checkpoint name, in the order in which the network asked for them.
///
/// It is a [Weights.Source]: the network is loaded from it, and whatever it asks for comes into being. The tensors live as long as the
/// backend; optimisers change their elements in place.
public final class Parameters implements Weights.Source {
    private final Backend backend;
    private final Initializer initializer;
    private final long seed;
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    public Parameters(Backend backend, Initializer initializer, long seed) {
        this.backend = backend;
        this.initializer = initializer;
        this.seed = seed;
    }

    @Override
    public Tensor tensor(String name, Shape expected) {
        return tensors.computeIfAbsent(name, n -> {
            var values = initializer.values(n, expected, Random.philox(seed, n.hashCode()));
            return Tensor.of(backend, values, expected.dims()).variable();
        });
    }

    /// Everything can be asked for.
    @Override
    public boolean has(String name) {
        return true;
    }

    /// The names, in order.
    public List<String> names() {
        return new ArrayList<>(tensors.keySet());
    }

    /// The variables, in order.
    public List<Tensor> variables() {
        return new ArrayList<>(tensors.values());
    }

    /// The variables by name, in order.
    public Map<String, Tensor> byName() {
        return new LinkedHashMap<>(tensors);
    }

    /// The number of elements of all of them.
    public long count() {
        return tensors.values().stream().mapToLong(Tensor::size).sum();
    }

    /// Overwrites a variable.
    ///
    /// @throws ShapeException if the size differs
    public void set(String name, float[] values) {
        var x = tensors.get(name);
        if (x == null || x.size() != values.length) {
            throw new ShapeException(name + ": " + values.length + " values for " + (x == null ? "no such parameter" : x));
        }
        backend.upload(x.data(), values);
    }
}
