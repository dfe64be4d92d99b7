package otherwise.models.wan;

import otherwise.autograd.Activations;
import otherwise.backend.Scope;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// A clip on its way through the autoencoder piece by piece. Close it to free what its layers remember.
///
///     try (var stream = vae.decoding()) {
///         for (long t = 0; t < frames; t++) show(stream.next(z.slice(2, t, t + 1)));
///     }
public final class VaeStream implements AutoCloseable {

    /// The whole network, as a function of a piece and of the past.
    interface Network {
        Tensor forward(Tensor piece, Past past, Activations activations);
    }

    private final Network network;
    private final Past past = Past.remembered();

    VaeStream(Network network) {
        this.network = network;
    }

    /// What the next piece becomes. It belongs to the caller's scope.
    public Tensor next(Tensor piece) {
        try (var _ = Tape.off();
                var scope = Scope.open()) {
            // RECOMPUTE, with nothing recorded, frees every layer's intermediate results as soon as it is done.
            var y = network.forward(piece.detach(), past, Activations.RECOMPUTE).detach();
            scope.keep(y.data());
            return y;
        }
    }

    @Override
    public void close() {
        past.close();
    }
}
