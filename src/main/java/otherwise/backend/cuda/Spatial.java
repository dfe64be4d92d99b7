package otherwise.backend.cuda;

import otherwise.backend.Storage;

/// Launches of `spatial.cu`.
final class Spatial {
    private static final String FILE = "spatial";

    private final Kernels kernels;

    Spatial(Kernels kernels) {
        this.kernels = kernels;
    }

    void rope(Storage y, Storage x, Storage cos, Storage sin, long batch, long length, long heads, long width, boolean inverse) {
        long pairs = batch * length * heads * width / 2;
        kernels.over(
                pairs, FILE, "rope", new Arguments().with(y).with(x).with(cos).with(sin).with(inverse ? -1f : 1f).with(length).with(heads)
                        .with(width / 2).with(pairs));
    }

    void upsample2x(Storage y, Storage x, long planes, long h, long w) {
        overPixels("upsample2x", y, x, planes * h * w, w);
    }

    void upsample2xBackward(Storage dx, Storage dy, long planes, long h, long w) {
        overPixels("upsample2x_backward", dx, dy, planes * h * w, w);
    }

    /// Over n pixels of the smaller pictures, in rows of w.
    private void overPixels(String kernel, Storage y, Storage x, long n, long w) {
        int pack = kernels.pack(w, y, x);
        kernels.over(n / pack, FILE, kernel, new Arguments().with(y).with(x).with(w).with(n).with(pack));
    }
}
