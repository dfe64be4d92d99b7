package otherwise.train;

import otherwise.tensor.Tensor;

/// A frozen video autoencoder, as the generator's training sees it. Latents are normalised: about mean 0 and variance 1 a channel.
public interface LatentCodec {

    /// `[B, 3, T, H, W]` in [-1, 1] → `[B, 16, F, H/8, W/8]`
    Tensor encode(Tensor video);

    /// `[B, 16, F, h, w]` → `[B, 3, 4F-3, 8h, 8w]`, not clamped
    Tensor decode(Tensor latent);
}
