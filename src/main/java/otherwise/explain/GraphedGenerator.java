package otherwise.explain;

import java.util.EnumMap;
import java.util.Map;
import otherwise.autograd.Activations;
import otherwise.autograd.Graphed;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.diffusion.TimedVelocity;
import otherwise.tensor.Tensor;

/// A generator whose flow and decoder the device does as wholes, with their gradients. Encoding, which is done once, is left as it is, and so is
/// decoding without a way back, which goes in pieces.
final class GraphedGenerator implements Generator {
    private final Generator generator;
    private final Map<Activations, Graphed> decoders = new EnumMap<>(Activations.class);

    /// What is recorded lives as long as the innermost scope.
    GraphedGenerator(Generator generator) {
        this.generator = generator;
        for (var a : Activations.values()) decoders.put(a, new Graphed(in -> generator.decode(in.getFirst(), a)));
    }

    @Override
    public Backend backend() {
        return generator.backend();
    }

    @Override
    public VideoFormat video() {
        return generator.video();
    }

    @Override
    public Shape latent() {
        return generator.latent();
    }

    @Override
    public double shift() {
        return generator.shift();
    }

    @Override
    public Tensor encode(Tensor video) {
        return generator.encode(video);
    }

    @Override
    public Tensor decode(Tensor latent, Activations activations) {
        return latent.requiresGrad() ? decoders.get(activations).of(latent) : generator.decode(latent, activations);
    }

    @Override
    public TimedVelocity condition(Tensor firstFrame, double guidance, Activations activations) {
        var velocity = generator.condition(firstFrame, guidance, activations);
        var graphed = new Graphed(in -> velocity.at(in.getFirst(), in.getLast()));
        return new TimedVelocity() {
            @Override
            public Tensor time(double t) {
                return velocity.time(t);
            }

            @Override
            public Tensor at(Tensor x, Tensor time) {
                return graphed.of(x, time);
            }

            @Override
            public boolean recomputes() {
                return true;
            }
        };
    }
}
