package otherwise.models.swin;

import otherwise.tensor.Tensor;

/// How the tokens of a batch of clips lie in a list `[B·T·H·W, C]`: w fastest, then h, t, b.
record Grid(long b, long t, long h, long w) {

    /// The grid of `[B, T, H, W, C]`.
    static Grid of(Tensor x) {
        return new Grid(x.dim(0), x.dim(1), x.dim(2), x.dim(3));
    }

    long tokens() {
        return b * t * h * w;
    }

    long size(int axis) {
        return switch (axis) {
            case 0 -> t;
            case 1 -> h;
            default -> w;
        };
    }

    /// The row of a token; −1 for a position beyond the clip.
    long row(long ib, long it, long ih, long iw) {
        return it < t && ih < h && iw < w ? ((ib * t + it) * h + ih) * w + iw : -1;
    }

    /// The list as `[B, T, H, W, C]`.
    Tensor unfold(Tensor x) {
        return x.reshape(b, t, h, w, -1);
    }
}
