package otherwise.tensor;

import java.util.List;
import otherwise.backend.MatmulSpec;
import otherwise.backend.Shape;
import otherwise.backend.ShapeException;

/// y = op(a) · op(b) with leading batch axes; a two-dimensional b is shared by the whole batch.
record MatMul(Tensor a, Tensor b, boolean transposeA, boolean transposeB) implements Op {

    static Tensor forward(Tensor a, Tensor b, boolean transposeA, boolean transposeB) {
        if (a.rank() < 2 || b.rank() < 2) throw wrong(a, b);
        long m = a.dim(transposeA ? -1 : -2);
        long k = a.dim(transposeA ? -2 : -1);
        long n = b.dim(transposeB ? -2 : -1);
        if (b.dim(transposeB ? -1 : -2) != k) throw wrong(a, b);
        long batch = a.shape().product(0, a.rank() - 2);
        boolean shared = b.rank() == 2 && batch > 1;
        if (!shared && b.shape().product(0, b.rank() - 2) != batch) throw wrong(a, b);
        var dims = a.shape().dims();
        dims[dims.length - 2] = m;
        dims[dims.length - 1] = n;
        var y = Tensor.blank(a.backend(), Shape.of(dims));
        if (shared && !transposeA) {
            a.backend().matmul(y.data(), a.data(), b.data(), null, MatmulSpec.of(batch * m, n, k, false, transposeB), false);
        } else {
            var spec = new MatmulSpec(batch, m, n, k, transposeA, transposeB, m * k, shared ? 0 : k * n);
            a.backend().matmul(y.data(), a.data(), b.data(), null, spec, false);
        }
        return y.madeBy(new MatMul(a, b, transposeA, transposeB));
    }

    private static ShapeException wrong(Tensor a, Tensor b) {
        return new ShapeException("matmul: " + a.shape() + " and " + b.shape() + " do not multiply");
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(a, b);
    }

    @Override
    public List<Tensor> saved() {
        return List.of(a, b);
    }

    ///     y = a·b: da = dy·bᵀ, db = aᵀ·dy; with a transposed operand, its gradient is transposed
    @Override
    public void backward(Tensor dy, Flow flow) {
        var a = this.a.detach();
        var b = this.b.detach();
        flow.into(this.a, () -> transposeA ? forward(b, dy, transposeB, true) : forward(dy, b, false, !transposeB));
        flow.into(this.b, () -> {
            var left = transposeB ? dy : a;
            var right = transposeB ? a : dy;
            boolean tl = transposeB || !transposeA;
            boolean tr = transposeB && transposeA;
            if (b.rank() == 2 && a.rank() > 2 && !transposeA) {
                // A shared b sums over the batch: fold the batch into the rows.
                left = left.reshape(-1, left.dim(-1));
                right = right.reshape(-1, right.dim(-1));
            }
            return forward(left, right, tl, tr).sumTo(b.shape());
        });
    }
}
