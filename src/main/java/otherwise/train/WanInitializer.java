package otherwise.train;

import otherwise.backend.Shape;
import otherwise.tensor.Random;

/// Where the transformer and its image encoder start: every block near the identity, the output at zero (Peebles & Xie 2023, adaLN-Zero).
///
/// The gates begin small through `modulation` and `time_projection`; the ungated cross-attention through its output layer.
public final class WanInitializer implements Initializer {
    @Override
    public float[] values(String name, Shape shape, Random random) {
        int n = Math.toIntExact(shape.size());
        if (name.endsWith("head.head.weight") || name.endsWith("modulation")) return Initializer.filled(n, 0);
        if (name.endsWith("time_projection.1.weight")) return Initializer.scaled(name, shape, random, 0.1);
        if (name.endsWith("cross_attn.o.weight")) return Initializer.scaled(name, shape, random, 0.3);
        if (name.endsWith("embedding") && !name.contains("text")) return Initializer.normal(n, 0.2, random);
        return Initializer.scaled(name, shape, random, 1);
    }
}
