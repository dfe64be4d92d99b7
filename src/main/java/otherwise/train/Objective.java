package otherwise.train;

import java.util.Map;
import otherwise.tensor.Tensor;

/// What a network is trained for.
public interface Objective {

    /// The scalar loss of one step. The step's data depend on its number alone, so that a resumed training sees what it would have seen.
    Tensor loss(long step);

    /// Figures on held-out data, by name, with the weights that will be shipped.
    Map<String, Double> validate();
}
