package otherwise.tensor;

import otherwise.backend.Backend;
import otherwise.backend.Shape;

/// A stream of random numbers that depends on its seed alone: the same on every machine, device and number of threads.
public sealed interface Random permits Philox, TorchRandom {

    /// The next `n` numbers, uniform in [0, 1).
    float[] uniform(int n);

    /// The next `n` numbers of the standard normal distribution.
    float[] normal(int n);

    /// A tensor of the next uniform numbers, in row-major order: the same ones as on the host.
    default Tensor uniform(Backend backend, long... dims) {
        return Tensor.of(backend, uniform(Math.toIntExact(Shape.of(dims).size())), dims);
    }

    /// A tensor of the next standard normal numbers, in row-major order: the same ones as on the host, on some devices but for the last bit
    /// of one in a hundred million.
    default Tensor normal(Backend backend, long... dims) {
        return Tensor.of(backend, normal(Math.toIntExact(Shape.of(dims).size())), dims);
    }

    /// Counter-based: streams of one seed are independent of each other, and any can be made again by itself.
    static Random philox(long seed, long stream) {
        return new Philox(seed, stream);
    }

    /// What PyTorch draws on the CPU after `torch.manual_seed(seed)`.
    static Random torch(long seed) {
        return new TorchRandom(seed);
    }
}
