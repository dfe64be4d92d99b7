package otherwise.train;

import java.util.List;
import java.util.Map;
import otherwise.tensor.Tensor;

/// Moves parameters against their gradients. Parameters are changed in place, so every model that holds them sees the new values.
///
/// What an optimiser remembers is allocated in the scope in which it was made.
public interface Optimizer {

    /// The parameters, in the order in which [#step] takes gradients.
    List<Tensor> parameters();

    /// One step.
    ///
    /// @param gradients one for each parameter, in their order and of their shape: `Gradients.of(loss).to(optimizer.parameters())`
    /// @throws otherwise.backend.ShapeException if they do not fit
    void step(List<Tensor> gradients, double learningRate);

    /// The steps made so far.
    long steps();

    /// All that the next step depends on besides the parameters, by name: the optimiser's own tensors, not copies.
    Map<String, Tensor> state();

    /// Goes on from a [#state] saved after `steps` steps.
    ///
    /// @throws IllegalArgumentException if a tensor is missing, unknown or of another shape; nothing is changed then
    void restore(long steps, Map<String, Tensor> state);
}
