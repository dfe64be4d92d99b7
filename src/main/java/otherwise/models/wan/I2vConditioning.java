package otherwise.models.wan;

import java.util.Arrays;
import otherwise.autograd.Activations;
import otherwise.backend.Backend;
import otherwise.tensor.Dims;
import otherwise.tensor.Tensor;

/// How a first frame enters the image-to-video transformer: as four channels that say which frames are given, and as the latent of a clip
/// that is the first frame and then grey (wan/image2video.py, WanI2V.generate).
public final class I2vConditioning {

    /// Size of a latent frame.
    public record Size(long height, long width) {

        /// Pixels of the video: 8 a latent pixel.
        public Size pixels() {
            return new Size(8 * height, 8 * width);
        }
    }

    private I2vConditioning() {}

    /// The size of the latent for an image: its aspect, at most about `maxArea` pixels, a whole number of 2×2 patches.
    ///
    ///     height = ⌊√(maxArea · h/w) / 16⌋ · 2        width = ⌊√(maxArea · w/h) / 16⌋ · 2
    public static Size fit(long imageHeight, long imageWidth, long maxArea) {
        if (imageHeight < 1 || imageWidth < 1) throw new IllegalArgumentException("no image is " + imageHeight + " x " + imageWidth);
        double aspect = (double) imageHeight / imageWidth;
        return new Size(even(maxArea * aspect), even(maxArea / aspect));
    }

    private static long even(double area) {
        return 2 * (long) Math.floor(Math.floor(Math.sqrt(area) / 8) / 2);
    }

    /// Latent frames of a clip.
    public static long latentFrames(long frames) {
        return (frames - 1) / WanVae.PIECE + 1;
    }

    /// Ones at the first latent frame and zeros elsewhere, `[1, 4, F, H, W]`: a channel for each frame that a latent frame stands for.
    public static Tensor mask(Backend backend, long frames, Size size) {
        long plane = size.height * size.width;
        var mask = new float[Math.toIntExact(WanVae.PIECE * frames * plane)];
        for (long c = 0; c < WanVae.PIECE; c++) {
            int from = (int) (c * frames * plane);
            Arrays.fill(mask, from, (int) (from + plane), 1);
        }
        return Tensor.of(backend, mask, 1, WanVae.PIECE, frames, size.height, size.width);
    }

    /// The clip that the autoencoder is shown: the first frame `[B, 3, H, W]`, and then grey → `[B, 3, frames, H, W]`
    public static Tensor clip(Tensor firstFrame, long frames) {
        var d = Dims.of("first frame", "B 3 H W", firstFrame);
        return firstFrame.reshape(d.get("B"), 3, 1, d.get("H"), d.get("W")).pad(2, 0, frames - 1);
    }

    /// Mask and latent, as the transformer takes them behind the noise.
    ///
    /// @param firstFrame pixels in −1 … 1, `[B, 3, H, W]`, in the size of the video
    /// @param frames of the clip, 1 + 4n
    /// @return y `[B, 4 + z, F, H/8, W/8]`
    public static Tensor of(WanVae vae, Tensor firstFrame, long frames) {
        var clip = clip(firstFrame, frames);
        // In pieces it takes less memory, but there is no way back to the frame.
        var latent = firstFrame.requiresGrad() ? vae.encode(clip, Activations.RECOMPUTE) : vae.encodeInPieces(clip);
        var mask = mask(firstFrame.backend(), latent.dim(2), new Size(latent.dim(3), latent.dim(4)));
        return Tensor.concat(1, mask.expand(clip.dim(0), mask.dim(1), mask.dim(2), mask.dim(3), mask.dim(4)), latent);
    }
}
