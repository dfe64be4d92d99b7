package otherwise.support;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import otherwise.autograd.Gradients;
import otherwise.autograd.Transient;
import otherwise.backend.Backend;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// Is the mathematics of a backward pass right? For random u and v, ⟨u, J·v⟩ by two forward passes must equal ⟨Jᵀ·u, v⟩ by one backward pass.
///
/// In double precision, so that the difference quotient is good to about 1e-9. Works at any size, one direction an input.
public final class GradCheck {
    private static final double STEP = 1e-5;
    private static final double LIMIT = 1e-6;

    private GradCheck() {}

    /// Checks the gradient of `f` to each input, all normal random numbers of the given shapes.
    public static void check(Backend backend, Function<List<Tensor>, Tensor> f, long[]... shapes) {
        var inputs = new ArrayList<Tensor>();
        for (int i = 0; i < shapes.length; i++) inputs.add(normal(backend, 100 + i, shapes[i]));
        check(f, inputs);
    }

    /// Checks the gradient of `f` to each of these inputs.
    public static void check(Function<List<Tensor>, Tensor> f, List<Tensor> inputs) {
        var variables = inputs.stream().map(Tensor::variable).toList();
        var y = f.apply(variables);
        var u = normal(y.backend(), 7, y.shape().dims());
        var gradients = Gradients.of(y, u);
        for (int i = 0; i < inputs.size(); i++) {
            var v = normal(y.backend(), 11 + i, inputs.get(i).shape().dims());
            double forward = (along(f, inputs, i, v, STEP, u) - along(f, inputs, i, v, -STEP, u)) / (2 * STEP);
            double backward = dot(gradients.to(variables.get(i)), v);
            double scale = Math.max(1, Math.max(Math.abs(forward), Math.abs(backward)));
            assertTrue(
                    Math.abs(forward - backward) <= LIMIT * scale,
                    "input " + i + " " + inputs.get(i) + ": by differences " + forward + ", by the backward pass " + backward);
        }
    }

    /// Checks that a device gives the same result and the same gradients, for the same numbers.
    ///
    /// @param limit of the relative error of each
    public static void agree(Backend reference, Backend device, double limit, Function<List<Tensor>, Tensor> f, long[]... shapes) {
        try (var _ = reference.scope(); var _ = device.scope()) {
            var numbers = new ArrayList<double[]>();
            for (int i = 0; i < shapes.length; i++) numbers.add(shortened(normal(reference, 100 + i, shapes[i]).doubles(), device));
            var expected = results(reference, f, numbers, shapes);
            var actual = results(device, f, numbers, shapes);
            for (int i = 0; i < expected.size(); i++) {
                Close.check(device.name() + ", " + (i == 0 ? "result" : "gradient to input " + (i - 1)), actual.get(i), expected.get(i),
                        limit);
            }
        }
    }

    /// Checks that the gradients are the same bits when the memory of inputs and result goes as soon as nobody is said to read it
    /// ([otherwise.tensor.Op#saved]), and holds something else on the way back: with all inputs variables, and with one alone.
    public static void forgets(Backend device, Function<List<Tensor>, Tensor> f, long[]... shapes) {
        for (int only = -1; only < shapes.length; only++) {
            try (var _ = device.scope()) {
                var inputs = new ArrayList<Tensor>();
                for (int i = 0; i < shapes.length; i++) {
                    var x = normal(device, 100 + i, shapes[i]);
                    inputs.add(only < 0 || only == i ? x.variable() : x);
                }
                var y = f.apply(inputs);
                if (!y.requiresGrad()) continue;
                var u = normal(device, 7, y.shape().dims());
                // Times 2, so that the gradient of f's result is nobody else's, and f may write over it.
                var kept = Gradients.of(y, u.times(2).detach());
                var forgotten = Transient.of(() -> f.apply(inputs.stream().map(x -> x.affine(1, 0)).toList()).times(2));
                for (var dims : shapes) for (int i = 0; i < 4; i++) Tensor.full(device, Double.NaN, dims);
                for (int i = 0; i < 4; i++) Tensor.full(device, Double.NaN, y.shape().dims());
                var gradients = Gradients.of(forgotten, u);
                for (var x : inputs) if (x.requiresGrad()) assertArrayEquals(kept.to(x).doubles(), gradients.to(x).doubles());
            }
        }
    }

    /// As the device stores them, so that both begin with the same.
    private static double[] shortened(double[] values, Backend device) {
        return Tensor.of(device, values, values.length).doubles();
    }

    private static List<double[]> results(Backend backend, Function<List<Tensor>, Tensor> f, List<double[]> numbers, long[]... shapes) {
        var variables = new ArrayList<Tensor>();
        for (int i = 0; i < shapes.length; i++) variables.add(Tensor.of(backend, numbers.get(i), shapes[i]).variable());
        var y = f.apply(variables);
        var gradients = Gradients.of(y, Tensor.of(backend, direction(y), y.shape().dims()));
        var all = new ArrayList<>(List.of(y.doubles()));
        for (var variable : variables) all.add(gradients.to(variable).doubles());
        return all;
    }

    /// Numbers that every type holds exactly.
    private static double[] direction(Tensor y) {
        return IntStream.range(0, (int) y.size()).mapToDouble(i -> (i * 7 % 17 - 8) / 8.0).toArray();
    }

    private static double along(Function<List<Tensor>, Tensor> f, List<Tensor> inputs, int i, Tensor v, double step, Tensor u) {
        var moved = new ArrayList<>(inputs);
        moved.set(i, inputs.get(i).add(v.times(step)));
        return dot(f.apply(moved), u);
    }

    /// Standard normal numbers.
    public static Tensor normal(Backend backend, long seed, long... dims) {
        return Random.philox(seed, 0).normal(backend, dims);
    }

    private static double dot(Tensor a, Tensor b) {
        var x = a.doubles();
        var y = b.doubles();
        double sum = 0;
        for (int i = 0; i < x.length; i++) sum += x[i] * y[i];
        return sum;
    }
}
