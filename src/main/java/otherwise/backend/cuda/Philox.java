package otherwise.backend.cuda;

import otherwise.backend.Philox4x32;
import otherwise.backend.Storage;

/// Launches of `philox.cu`.
final class Philox {
    private static final String FILE = "philox";

    private final Kernels kernels;

    Philox(Kernels kernels) {
        this.kernels = kernels;
    }

    void uniform(Storage y, long seed, long stream, long counter) {
        draw("philox_uniform", y, seed, stream, counter);
    }

    void normal(Storage y, long seed, long stream, long counter) {
        draw("philox_normal", y, seed, stream, counter);
    }

    private void draw(String kernel, Storage y, long seed, long stream, long counter) {
        var arguments = new Arguments().with(y).with(seed).with(stream).with(counter).with(y.size());
        kernels.over(Math.ceilDiv(y.size(), Philox4x32.EACH), FILE, kernel, arguments);
    }
}
