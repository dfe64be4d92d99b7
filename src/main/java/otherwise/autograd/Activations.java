package otherwise.autograd;

import java.util.function.Supplier;
import otherwise.tensor.Tensor;

/// What becomes of a layer's intermediate results: a choice of the call, not of the network.
public enum Activations {

    /// They stay until the way back has used them.
    KEEP {
        @Override
        public Tensor run(Supplier<Tensor> layer) {
            return layer.get();
        }
    },

    /// They are freed when the layer is done, and computed again on the way back ([Checkpoint]). Where nothing is a variable there is no
    /// way back, and this only frees memory early.
    RECOMPUTE {
        @Override
        public Tensor run(Supplier<Tensor> layer) {
            return Checkpoint.of(layer);
        }
    };

    /// The layer's output.
    public abstract Tensor run(Supplier<Tensor> layer);
}
