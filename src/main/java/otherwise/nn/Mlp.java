package otherwise.nn;

import otherwise.autograd.Transient;
import otherwise.backend.Backend.Unary;
import otherwise.tensor.Tensor;

/// Two linear layers with a function between them: `[*, in]` → `[*, hidden]` → `[*, out]`.
public record Mlp(Linear up, Unary activation, Linear down) {

    /// From a checkpoint in which the two layers stand under two numbers, as in PyTorch's `Sequential`.
    public static Mlp load(Weights w, int up, int down, long in, long hidden, long out, Unary activation) {
        return new Mlp(Linear.load(w.at(up), in, hidden), activation, Linear.load(w.at(down), hidden, out));
    }

    public Tensor forward(Tensor x) {
        return down.forward(hidden(x));
    }

    /// The same, into a sum.
    public Tensor forward(Tensor x, Residual into) {
        return into.add(down, hidden(x));
    }

    private Tensor hidden(Tensor x) {
        return Transient.of(() -> up.forward(x, activation));
    }
}
