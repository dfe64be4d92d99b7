package otherwise.train;

import otherwise.backend.Shape;
import otherwise.tensor.Random;

/// Where the video classifier starts: linear layers at fan_in^-½, relative positions drawn wide enough to matter from the first step.
public final class SwinInitializer implements Initializer {
    @Override
    public float[] values(String name, Shape shape, Random random) {
        if (name.endsWith("relative_position_bias_table")) return Initializer.normal(Math.toIntExact(shape.size()), 0.3, random);
        return Initializer.scaled(name, shape, random, 1);
    }
}
