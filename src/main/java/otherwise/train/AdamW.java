package otherwise.train;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import otherwise.backend.Backend;
import otherwise.tensor.Tensor;

/// Adam with weight decay taken apart from the gradient (Loshchilov & Hutter 2019), as PyTorch computes it.
///
///     p ← p·(1 − lr·decay);  m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  p ← p − lr/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)
public final class AdamW implements Optimizer {

    /// The constants of the method; the learning rate comes with every step.
    public record Settings(double beta1, double beta2, double epsilon, double decay) {

        /// PyTorch's defaults.
        public static final Settings DEFAULT = new Settings(0.9, 0.999, 1e-8, 0.01);

        /// @throws IllegalArgumentException if a value is out of range
        public Settings {
            if (!(beta1 >= 0 && beta1 < 1)) throw new IllegalArgumentException("beta1 must be in [0, 1), not " + beta1);
            if (!(beta2 >= 0 && beta2 < 1)) throw new IllegalArgumentException("beta2 must be in [0, 1), not " + beta2);
            if (!(epsilon >= 0)) throw new IllegalArgumentException("epsilon must not be negative: " + epsilon);
            if (!(decay >= 0)) throw new IllegalArgumentException("decay must not be negative: " + decay);
        }

        public Settings withDecay(double decay) {
            return new Settings(beta1, beta2, epsilon, decay);
        }
    }

    private final ParameterSet parameters;
    private final Settings settings;
    private final Map<String, Tensor> first;
    private final Map<String, Tensor> second;
    private long steps;

    /// @param parameters by name; the names appear in [#state]
    public AdamW(Map<String, Tensor> parameters, Settings settings) {
        this.parameters = new ParameterSet(parameters);
        this.settings = settings;
        this.first = this.parameters.zeros("exp_avg", Backend::statistics);
        this.second = this.parameters.zeros("exp_avg_sq", Backend::statistics);
    }

    @Override
    public List<Tensor> parameters() {
        return parameters.list();
    }

    @Override
    public void step(List<Tensor> gradients, double learningRate) {
        parameters.check(gradients);
        steps++;
        var g = gradients.iterator();
        var m = first.values().iterator();
        var v = second.values().iterator();
        for (var p : parameters.list()) {
            p.backend()
                    .adamW(
                            p.data(),
                            m.next().data(),
                            v.next().data(),
                            g.next().data(),
                            learningRate,
                            settings.beta1,
                            settings.beta2,
                            settings.epsilon,
                            settings.decay,
                            steps);
        }
    }

    @Override
    public long steps() {
        return steps;
    }

    @Override
    public Map<String, Tensor> state() {
        var state = new LinkedHashMap<>(first);
        state.putAll(second);
        return state;
    }

    @Override
    public void restore(long steps, Map<String, Tensor> state) {
        ParameterSet.restore(state(), state);
        this.steps = steps;
    }
}
