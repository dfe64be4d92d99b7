package otherwise.train;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import otherwise.backend.Shape;
import otherwise.tensor.Tensor;

/// Momentum made orthogonal (Jordan et al. 2024), for the matrices between a network's layers: every direction of a step is equally long, so
/// that rare directions are learned as fast as common ones. Everything else (tables, norms, first and last layers) is left to [AdamW].
///
///     m ← μ·m + g;  u = g + μ·m;  p ← p·(1 − lr·decay) − lr · 0.2·√max(rows, columns) · orth(u)
///
/// The factor 0.2·√max makes a step about as long as one of AdamW, so that both take the same learning rate (Liu et al. 2025, eq. 4).
/// `orth(u)` is u with all its singular values near 1, found by five steps of X ← aX + (bA + cA²)X with A = XXᵀ, from X = u/‖u‖.
public final class Muon implements Optimizer {
    private static final double A = 3.4445;
    private static final double B = -4.7750;
    private static final double C = 2.0315;
    private static final int STEPS = 5;
    private static final double LENGTH = 0.2;

    /// The constants of the method.
    ///
    /// @param momentum μ
    /// @param decay of the matrices; the rest decays as `rest` says
    public record Settings(double momentum, double decay, AdamW.Settings rest) {

        /// @throws IllegalArgumentException if a value is out of range
        public Settings {
            if (!(momentum >= 0 && momentum < 1)) throw new IllegalArgumentException("momentum must be in [0, 1), not " + momentum);
            if (!(decay >= 0)) throw new IllegalArgumentException("decay must not be negative: " + decay);
        }
    }

    private final ParameterSet parameters;
    private final Settings settings;
    private final Map<String, Tensor> momenta;
    private final AdamW rest;
    private long steps;

    /// @param parameters by name; the names appear in [#state]
    /// @param hidden which of the parameters with two axes are matrices between layers
    public Muon(Map<String, Tensor> parameters, Settings settings, Predicate<String> hidden) {
        this.parameters = new ParameterSet(parameters);
        this.settings = settings;
        var matrices = new LinkedHashMap<String, Tensor>();
        var others = new LinkedHashMap<String, Tensor>();
        parameters.forEach((name, p) -> (p.rank() == 2 && hidden.test(name) ? matrices : others).put(name, p));
        this.momenta = new LinkedHashMap<>();
        matrices.forEach((name, p) -> momenta.put(name, Tensor.zeros(p.backend(), p.shape().dims())));
        this.rest = new AdamW(others, settings.rest);
    }

    @Override
    public List<Tensor> parameters() {
        return parameters.list();
    }

    @Override
    public void step(List<Tensor> gradients, double learningRate) {
        parameters.check(gradients);
        steps++;
        var others = new ArrayList<Tensor>();
        // Matrices of one shape take their step together: products of many small matrices at once use the machine better.
        var alike = new LinkedHashMap<Shape, List<String>>();
        var directions = new LinkedHashMap<String, Tensor>();
        var g = gradients.iterator();
        parameters.byName().forEach((name, p) -> {
            var gradient = g.next();
            var m = momenta.get(name);
            if (m == null) {
                others.add(gradient);
                return;
            }
            m.backend().affine(m.data(), m.data(), settings.momentum, 0);
            m.backend().axpy(m.data(), 1, gradient.data());
            directions.put(name, gradient.add(m.times(settings.momentum)));
            alike.computeIfAbsent(p.shape(), _ -> new ArrayList<>()).add(name);
        });
        alike.forEach((shape, names) -> {
            var u = orthogonal(Tensor.stack(names.stream().map(directions::get).toList()));
            double length = LENGTH * Math.sqrt(Math.max(shape.dim(0), shape.dim(1)));
            for (int i = 0; i < names.size(); i++) {
                var p = parameters.byName().get(names.get(i));
                p.backend().affine(p.data(), p.data(), 1 - learningRate * settings.decay, 0);
                p.backend().axpy(p.data(), -learningRate * length, u.select(0, i).data());
            }
        });
        rest.step(others, learningRate);
    }

    /// Every matrix of `[N, R, C]` with its singular values brought near 1 (between 0.7 and 1.2), those that are nearly zero left out.
    static Tensor orthogonal(Tensor u) {
        // The shorter side first: the products A are then as small as can be.
        if (u.dim(1) > u.dim(2)) return orthogonal(u.transpose(1, 2)).transpose(1, 2);
        var norm = u.reshape(u.dim(0), -1).square().sum(1).sqrt().plus(1e-12).reshape(u.dim(0), 1, 1);
        var x = u.div(norm);
        for (int i = 0; i < STEPS; i++) {
            var a = x.matmulT(x);
            x = x.times(A).add(a.times(B).add(a.matmul(a).times(C)).matmul(x));
        }
        return x;
    }

    @Override
    public long steps() {
        return steps;
    }

    @Override
    public Map<String, Tensor> state() {
        var state = new LinkedHashMap<String, Tensor>();
        momenta.forEach((name, m) -> state.put("momentum." + name, m));
        state.putAll(rest.state());
        return state;
    }

    @Override
    public void restore(long steps, Map<String, Tensor> state) {
        ParameterSet.restore(state(), state);
        this.steps = steps;
        rest.restore(steps, rest.state());
    }
}
