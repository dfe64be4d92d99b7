package otherwise.models.wan;

import java.util.LinkedHashMap;
import java.util.Map;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.nn.Weights;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// Weights that are made up when a network asks for them: small random numbers, variables, the same at every run.
final class Invented implements Weights.Source {
    final Map<String, Tensor> made = new LinkedHashMap<>();
    private final Backend backend;
    private final Random random = Random.philox(5, 0);

    Invented(Backend backend) {
        this.backend = backend;
    }

    @Override
    public Tensor tensor(String name, Shape expected) {
        return made.computeIfAbsent(name, n -> random.normal(backend, expected.dims()).times(0.3).variable());
    }

    @Override
    public boolean has(String name) {
        return true;
    }
}
