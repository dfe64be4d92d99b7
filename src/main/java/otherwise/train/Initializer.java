package otherwise.train;

import otherwise.backend.Shape;
import otherwise.backend.ShapeException;
import otherwise.io.TensorFile;
import otherwise.tensor.Random;

/// The values a network starts from, by name and shape alone: the same seed gives the same network whatever order it is built in.
public interface Initializer {

    /// Row-major values for the parameter of this checkpoint name.
    float[] values(String name, Shape shape, Random random);

    /// The values that a model file or the average of a training state holds: training goes on from there.
    static Initializer from(TensorFile file) {
        var prefix = "training-state".equals(file.metadata().get("kind")) ? "ema/" : "";
        return (plain, shape, random) -> {
            var name = prefix + plain;
            if (!file.contains(name)) throw new ShapeException(file.path() + ": no tensor '" + name + "'");
            var found = Shape.of(file.entry(name).shape());
            if (!found.equals(shape)) throw new ShapeException(file.path() + ": " + name + " is " + found + ", expected " + shape);
            return file.floats(name);
        };
    }

    /// Normal weights with standard deviation fan_in^-½, unit norms, zero biases: the signal keeps its size on the way through.
    static float[] scaled(String name, Shape shape, Random random, double gain) {
        int n = Math.toIntExact(shape.size());
        if (shape.rank() < 2) return filled(n, name.endsWith("bias") ? 0 : 1);
        double std = gain / Math.sqrt(shape.product(1, shape.rank()));
        return normal(n, std, random);
    }

    /// `n` equal values.
    static float[] filled(int n, float value) {
        var x = new float[n];
        java.util.Arrays.fill(x, value);
        return x;
    }

    /// `n` normal values of this standard deviation.
    static float[] normal(int n, double std, Random random) {
        var x = random.normal(n);
        for (int i = 0; i < n; i++) x[i] *= (float) std;
        return x;
    }
}
