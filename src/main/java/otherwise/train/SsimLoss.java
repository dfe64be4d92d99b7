package otherwise.train;

import otherwise.backend.Backend;
import otherwise.metrics.Ssim;
import otherwise.tensor.Tensor;

/// One minus structural similarity, with a gradient: what [Ssim] measures, as a loss (Zhao, Gallo, Frosio, Kautz 2017).
///
/// The Gaussian window is a product of two one-dimensional ones, and each of those is a product with a banded matrix.
///
/// @param down `[H-10, H]` @param across `[W-10, W]`
record SsimLoss(Tensor down, Tensor across) {

    /// For pictures of this size.
    static SsimLoss of(Backend backend, int height, int width) {
        return new SsimLoss(band(backend, height), band(backend, width));
    }

    private static Tensor band(Backend backend, int size) {
        var weights = Ssim.gaussian();
        int rows = size - Ssim.WINDOW + 1;
        var band = new double[rows * size];
        for (int r = 0; r < rows; r++) System.arraycopy(weights, 0, band, r * size + r, Ssim.WINDOW);
        return Tensor.of(backend, band, rows, size);
    }

    /// 1 − the mean over all windows of all planes; a and b `[*, H, W]` in [-1, 1].
    Tensor between(Tensor a, Tensor b) {
        var x = planes(a);
        var y = planes(b);
        var mx = blur(x);
        var my = blur(y);
        var mxy = mx.mul(my);
        var squares = mx.square().add(my.square());
        var both = blur(x.mul(y)).sub(mxy);
        var each = blur(x.square().add(y.square())).sub(squares);
        var ssim = mxy.affine(2, Ssim.C1).mul(both.affine(2, Ssim.C2)).div(squares.plus(Ssim.C1).mul(each.plus(Ssim.C2)));
        return ssim.mean().affine(-1, 1);
    }

    /// In [0, 1], one after the other.
    private static Tensor planes(Tensor x) {
        return x.reshape(-1, x.dim(-2), x.dim(-1)).affine(0.5, 0.5);
    }

    /// `[N, H, W]` → `[N, H-10, W-10]`
    private Tensor blur(Tensor x) {
        return x.matmulT(across).transpose(1, 2).matmulT(down).transpose(1, 2);
    }
}
