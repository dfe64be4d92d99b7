package otherwise.tensor;

import java.util.function.Supplier;

/// Where gradients go on the way back. Only a flow ever adds gradients up.
public interface Flow {

    /// Whether anybody needs the gradient of `x`: frozen weights do not.
    boolean wants(Tensor x);

    /// Whether nobody but the operation that it was handed to will look at the gradient `dy` again: another may then take its place.
    default boolean isLast(Tensor dy) {
        return dy.data().references() == 1;
    }

    /// Adds a gradient to `x`. The supplier is not asked when nobody needs it.
    void into(Tensor x, Supplier<Tensor> gradient);
}
