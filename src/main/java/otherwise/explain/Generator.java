package otherwise.explain;

import otherwise.autograd.Activations;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.diffusion.TimedVelocity;
import otherwise.tensor.Tensor;

/// What makes realistic videos: an autoencoder, and a flow in its latent space that goes on from a first frame.
///
/// All tensors belong to the scope in which a method is called.
public interface Generator {

    /// Where its networks live.
    Backend backend();

    /// The videos it makes.
    VideoFormat video();

    /// The shape of the latent of such a video, `[1, z, t, h, w]`.
    Shape latent();

    /// The shift of the noise schedule it was trained with.
    double shift();

    /// Video `[1, 3, T, H, W]` in −1 … 1 → latent. No way back.
    Tensor encode(Tensor video);

    /// Latent → video, not clamped, so that gradients live outside the range too. Differentiable.
    Tensor decode(Tensor latent, Activations activations);

    /// The flow of videos that begin with a frame, `[1, 3, 1, H, W]` in −1 … 1. All that depends on the frame alone is computed now, once.
    ///
    /// @param guidance scale of classifier-free guidance against the empty text; 1 is without, and costs half
    TimedVelocity condition(Tensor firstFrame, double guidance, Activations activations);
}
