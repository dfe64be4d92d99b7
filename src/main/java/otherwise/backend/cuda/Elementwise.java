package otherwise.backend.cuda;

import otherwise.backend.Axes;
import otherwise.backend.Backend.Binary;
import otherwise.backend.Backend.Unary;
import otherwise.backend.Storage;

/// Launches of `elementwise.cu`.
final class Elementwise {
    private static final String FILE = "elementwise";

    private final Kernels kernels;

    Elementwise(Kernels kernels) {
        this.kernels = kernels;
    }

    void unary(Unary f, Storage y, Storage x) {
        kernels.over(y.size(), FILE, "unary", new Arguments().with(f).with(y).with(x).with(y.size()));
    }

    void unaryBackward(Unary f, Storage dx, Storage dy, Storage x) {
        kernels.over(dx.size(), FILE, "unary_backward", new Arguments().with(f).with(dx).with(dy).with(x).with(dx.size()));
    }

    void affine(Storage y, Storage x, double scale, double offset) {
        kernels.over(y.size(), FILE, "affine", new Arguments().with(y).with(x).with((float) scale).with((float) offset).with(y.size()));
    }

    void axpy(Storage y, double alpha, Storage x) {
        kernels.over(y.size(), FILE, "axpy", new Arguments().with(y).with((float) alpha).with(x).with(y.size()));
    }

    void binary(Binary f, Storage y, Storage a, long[] aStrides, Storage b, long[] bStrides, long[] dims) {
        var axes = Axes.merged(dims, aStrides, bStrides);
        var arguments = new Arguments().with(f).with(y).with(a).with(b).with(Movement.struct(axes)).with(axes.size());
        kernels.over(axes.size(), FILE, "binary", arguments);
    }

    void adamW(Storage p, Storage m, Storage v, Storage g, double lr, double beta1, double beta2, double eps, double decay, long step) {
        double keep = 1 - lr * decay;
        double rate = lr / (1 - Math.pow(beta1, step));
        double root = 1 / Math.sqrt(1 - Math.pow(beta2, step));
        float[] struct = {
            (float) keep, (float) rate, (float) root, (float) beta1, (float) (1 - beta1), (float) beta2, (float) (1 - beta2), (float) eps
        };
        var arguments = new Arguments().with(p).with(m).with(v).with(g).with(struct).with(p.size());
        kernels.over(p.size(), FILE, "adamw", arguments);
    }
}
