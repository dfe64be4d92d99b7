package otherwise.diffusion;

import otherwise.tensor.Tensor;

/// A velocity by a network that is told the time by a tensor: all that it computes is a function of tensors.
public interface TimedVelocity extends Velocity {

    /// What the network is told of a time `t`, computed on the host.
    Tensor time(double t);

    /// The velocity at sample `x`, of the shape of `x`.
    ///
    /// @param time as [#time] has it
    Tensor at(Tensor x, Tensor time);

    @Override
    default Tensor at(Tensor x, double t) {
        return at(x, time(t));
    }
}
