package otherwise.cli.inspect;

import otherwise.autograd.Activations;
import otherwise.tensor.Tensor;

/// One way through a network: from one tensor to another, as large as a video of a given size makes them.
///
/// @param name what is done: `one denoising step`, `decode`
/// @param input the sizes of what goes in
/// @param recomputes whether its layers can forget what they computed until the way back ([Activations#RECOMPUTE])
/// @param network what is done with it
record Pass(String name, long[] input, boolean recomputes, Network network) {

    interface Network {
        Tensor run(Tensor x, Activations activations);
    }
}
