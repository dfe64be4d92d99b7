package otherwise.train;

import java.util.List;
import java.util.Map;
import otherwise.tensor.Tensor;

/// What a network is trained for.
public interface Objective {

    /// The scalar loss of one step. The step's data depend on its number alone, so that a resumed training sees what it would have seen.
    Tensor loss(long step);

    /// Of all steps that take the same memory, the last; in order, and with them the last of `steps`.
    default List<Long> lastOfEachKind(long steps) {
        return List.of(steps - 1);
    }

    /// Figures on held-out data, by name, with the weights that will be shipped.
    Map<String, Double> validate();
}
