package otherwise.backend.cuda;

import otherwise.backend.ConvSpec;
import otherwise.backend.Storage;

/// Who convolves.
interface Convolutions extends AutoCloseable {
    /// y = conv(x, weight) + bias (optional)
    void forward(Storage y, Storage x, Storage weight, Storage bias, ConvSpec s);

    /// dx = what dy gives back through the weight
    void toInput(Storage dx, Storage dy, Storage weight, ConvSpec s);

    /// dweight, and dbias (optional), from dy and x
    void toWeight(Storage dweight, Storage dbias, Storage dy, Storage x, ConvSpec s);

    /// The same on a device that computes nothing ([DryDriver]), in the same memory.
    Convolutions dry(Kernels kernels);

    @Override
    default void close() {}
}
