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

    /// Over all elements of y, in packs where the operands let them.
    private void over(String kernel, Arguments arguments, Storage y, Storage... others) {
        long n = y.size();
        int pack = Math.min(kernels.pack(n, y), kernels.pack(n, others));
        kernels.over(n / pack, FILE, kernel, arguments.with(n).with(pack));
    }

    void unary(Unary f, Storage y, Storage x) {
        over("unary", new Arguments().with(f).with(y).with(x), y, x);
    }

    void unaryBackward(Unary f, Storage dx, Storage dy, Storage x) {
        over("unary_backward", new Arguments().with(f).with(dx).with(dy).with(x), dx, dy, x);
    }

    void affine(Storage y, Storage x, double scale, double offset) {
        over("affine", new Arguments().with(y).with(x).with((float) scale).with((float) offset), y, x);
    }

    void axpy(Storage y, double alpha, Storage x) {
        over("axpy", new Arguments().with(y).with((float) alpha).with(x), y, x);
    }

    void binary(Binary f, Storage y, Storage a, long[] aStrides, Storage b, long[] bStrides, long[] dims) {
        var axes = Axes.merged(dims, aStrides, bStrides);
        long n = axes.size();
        int pack = Math.min(kernels.pack(axes.inner(), y), Math.min(pack(axes, 0, a), pack(axes, 1, b)));
        var arguments = new Arguments().with(f).with(y).with(a).with(b).with(Movement.struct(axes.inPacks(pack)));
        kernels.over(n / pack, FILE, "binary", arguments.with(n).with(pack));
    }

    /// An operand that repeats one element along the fastest axis goes with packs, wherever it lies.
    private int pack(Axes axes, int operand, Storage x) {
        if (axes.innerStride(operand) == 0) return kernels.pack(axes.inner());
        int pack = kernels.pack(axes.inner(), x);
        return axes.hasPacks(operand, pack) ? pack : 1;
    }

    void adamW(Storage p, Storage m, Storage v, Storage g, double lr, double beta1, double beta2, double eps, double decay, long step) {
        double keep = 1 - lr * decay;
        double rate = lr / (1 - Math.pow(beta1, step));
        double root = 1 / Math.sqrt(1 - Math.pow(beta2, step));
        float[] struct = {
            (float) keep, (float) rate, (float) root, (float) beta1, (float) (1 - beta1), (float) beta2, (float) (1 - beta2), (float) eps
        };
        over("adamw", new Arguments().with(p).with(m).with(v).with(g).with(struct), p, m, v, g);
    }
}
