package otherwise.diffusion;

import otherwise.tensor.Tensor;

/// A network as a solver sees it: where a sample moves at a moment of its way from noise to data.
///
///     dx/dσ = v(x, t)        t = 1000·σ
@FunctionalInterface
public interface Velocity {

    /// The velocity at sample `x` and time `t`, of the shape of `x`.
    Tensor at(Tensor x, double t);

    /// Whether it keeps nothing but its input for the way back, so that nothing is gained by computing a step again.
    default boolean recomputes() {
        return false;
    }
}
