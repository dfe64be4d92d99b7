package otherwise.train;

import java.util.List;
import java.util.Map;
import otherwise.backend.Backend;
import otherwise.tensor.Tensor;

/// Gradient descent, with momentum and weight decay as PyTorch has them: the buffer starts as the first gradient.
///
///     g ← g + decay·p;  b ← μ·b + g;  p ← p − lr · (g + μ·b if Nesterov, else b)
public final class Sgd implements Optimizer {

    /// The constants of the method; `nesterov` looks ahead along the momentum.
    public record Settings(double momentum, boolean nesterov, double decay) {

        /// @throws IllegalArgumentException if a value is negative, or there is no momentum to look ahead along
        public Settings {
            if (!(momentum >= 0)) throw new IllegalArgumentException("momentum must not be negative: " + momentum);
            if (!(decay >= 0)) throw new IllegalArgumentException("decay must not be negative: " + decay);
            if (nesterov && momentum == 0) throw new IllegalArgumentException("nesterov needs a momentum");
        }
    }

    private final ParameterSet parameters;
    private final Settings settings;
    private final Map<String, Tensor> buffers;
    private long steps;

    /// @param parameters by name; the names appear in [#state]
    public Sgd(Map<String, Tensor> parameters, Settings settings) {
        this.parameters = new ParameterSet(parameters);
        this.settings = settings;
        this.buffers = settings.momentum == 0 ? Map.of() : this.parameters.zeros("momentum", Backend::real);
    }

    @Override
    public List<Tensor> parameters() {
        return parameters.list();
    }

    @Override
    public void step(List<Tensor> gradients, double learningRate) {
        parameters.check(gradients);
        steps++;
        var all = parameters.list();
        var g = (settings.decay == 0 ? gradients : Adam.penalised(all, gradients, settings.decay)).iterator();
        var buffer = buffers.values().iterator();
        for (var p : all) {
            var direction = buffers.isEmpty() ? g.next() : along(buffer.next(), g.next());
            p.backend().axpy(p.data(), -learningRate, direction.data());
        }
    }

    private Tensor along(Tensor buffer, Tensor g) {
        var backend = buffer.backend();
        // A buffer of zeros becomes the first gradient, as it should.
        backend.affine(buffer.data(), buffer.data(), settings.momentum, 0);
        backend.axpy(buffer.data(), 1, g.data());
        return settings.nesterov ? g.add(buffer.times(settings.momentum)) : buffer;
    }

    @Override
    public long steps() {
        return steps;
    }

    @Override
    public Map<String, Tensor> state() {
        return buffers;
    }

    @Override
    public void restore(long steps, Map<String, Tensor> state) {
        ParameterSet.restore(buffers, state);
        this.steps = steps;
    }
}
