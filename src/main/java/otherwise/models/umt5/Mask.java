package otherwise.models.umt5;

import java.util.Arrays;
import otherwise.backend.ShapeException;
import otherwise.tensor.Tensor;

/// Which keys are padding. Their bias is replaced by the lowest single-precision number, as in the official code.
///
/// @param keep 1 for keys that count and 0 for padding, `[B, 1, 1, L]`; `null` where all count
/// @param instead 0 for keys that count and the lowest number for padding, `[B, 1, 1, L]`
record Mask(Tensor keep, Tensor instead) {

    /// @param mask 1 (anything but 0) for tokens that count, 0 for padding, `[B, L]`; `null` where all count
    static Mask of(Tensor mask, Tensor x) {
        if (mask == null) return new Mask(null, null);
        if (mask.rank() != 2 || mask.dim(0) != x.dim(0) || mask.dim(1) != x.dim(1)) {
            throw new ShapeException("umt5: a mask " + mask + " for tokens " + x);
        }
        var keep = Arrays.stream(mask.doubles()).map(m -> m == 0 ? 0 : 1).toArray();
        var instead = Arrays.stream(keep).map(k -> k == 0 ? -Float.MAX_VALUE : 0).toArray();
        return new Mask(
                Tensor.of(x.backend(), keep, mask.dim(0), 1, 1, mask.dim(1)),
                Tensor.of(x.backend(), instead, mask.dim(0), 1, 1, mask.dim(1)));
    }

    /// bias `[1, N, L, L]` → `[B, N, L, L]`, or as it is where all keys count
    Tensor over(Tensor bias) {
        return keep == null ? bias : bias.mul(keep).add(instead);
    }
}
