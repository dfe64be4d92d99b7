package otherwise.explain;

import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// How far the colours of a video are from those of the original, frame by frame; where they are does not matter.
///
///     L = 1/(T·C²) · Σ over frames ‖G(x) − G(original)‖²        G = F·Fᵀ / (C·H·W), F the frame `[C, H·W]` in 0 … 1, C = 3
///
/// All frames count, not only those that the classifier sees.
///
/// @param original the Gram matrices of the original, `[T, 3, 3]`
public record StyleLoss(Tensor original) {

    /// Measures against a video `[1, 3, T, H, W]` in −1 … 1.
    public static StyleLoss against(Tensor video) {
        try (var _ = Tape.off()) {
            return new StyleLoss(gram(video));
        }
    }

    /// The loss of a video `[1, 3, T, H, W]`: a scalar.
    public Tensor of(Tensor video) {
        return gram(video).sub(original).square().mean();
    }

    private static Tensor gram(Tensor video) {
        long pixels = video.dim(3) * video.dim(4);
        var frames = video.affine(0.5, 0.5).reshape(3, video.dim(2), pixels).permute(1, 0, 2); // [T, 3, H·W]
        return frames.matmulT(frames).times(1.0 / (3 * pixels));
    }
}
