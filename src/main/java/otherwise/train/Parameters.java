package otherwise.train;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
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
    private final Predicate<String> frozen;
    private final long seed;
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final Map<String, Tensor> constants = new LinkedHashMap<>();

    public Parameters(Backend backend, Initializer initializer, long seed) {
        this(backend, initializer, seed, name -> false);
    }

    /// @param frozen the names that stay as the initialiser made them
    public Parameters(Backend backend, Initializer initializer, long seed, Predicate<String> frozen) {
        this.backend = backend;
        this.initializer = initializer;
        this.seed = seed;
        this.frozen = frozen;
    }

    @Override
    public Tensor tensor(String name, Shape expected) {
        return frozen.test(name)
                ? constants.computeIfAbsent(name, n -> made(n, expected))
                : tensors.computeIfAbsent(name, n -> made(n, expected).variable());
    }

    private Tensor made(String name, Shape expected) {
        var values = initializer.values(name, expected, Random.philox(seed, name.hashCode()));
        return Tensor.of(backend, values, expected.dims());
    }

    /// The tensors that stay as they are, by name.
    public Map<String, Tensor> constants() {
        return new LinkedHashMap<>(constants);
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
