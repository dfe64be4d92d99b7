package otherwise.models.wan;

import static otherwise.nn.Trace.at;
import static otherwise.nn.Trace.layer;

import java.util.ArrayList;
import otherwise.autograd.Activations;
import otherwise.backend.ShapeException;
import otherwise.nn.Weights;
import otherwise.tensor.Dims;
import otherwise.tensor.Tensor;

/// The Wan2.1 video autoencoder (wan/modules/vae.py): 1 + 4n frames of pixels ⇄ 1 + n latent frames, each an eighth as high and wide.
///
/// It is causal: a frame depends on earlier frames only. So a clip may pass whole (here), or piece by piece in little memory
/// ([VaeStream]), with the same result.
public record WanVae(WanVaeConfig config, VaeEncoder encoder, CausalConv3d conv1, CausalConv3d conv2, VaeDecoder decoder,
        LatentScale scale) {

    /// The official code reads a clip as 1 frame and then 4 at a time, and leaves out what is left over.
    static final int PIECE = 4;

    /// @throws ShapeException naming the first tensor that is missing or has another shape
    public static WanVae load(Weights w, WanVaeConfig c, LatentScale scale) {
        if (scale.mean().size() != c.zDim()) {
            throw new ShapeException("wan vae: statistics of " + scale.mean().size() + " channels for a latent of " + c.zDim());
        }
        return new WanVae(
                c,
                VaeEncoder.load(w.at("encoder"), c),
                CausalConv3d.load(w.at("conv1"), 2L * c.zDim(), 2L * c.zDim(), 1),
                CausalConv3d.load(w.at("conv2"), c.zDim(), c.zDim(), 1),
                VaeDecoder.load(w.at("decoder"), c),
                scale);
    }

    /// Pixels in −1 … 1, `[B, 3, T, H, W]` → normalised latent `[B, z, t, h, w]`. Frames beyond the last 1 + 4n are left out.
    ///
    /// The latent is the mean; the variance, which the network gives too, is not used: encoding is deterministic.
    public Tensor encode(Tensor video, Activations activations) {
        Dims.of("wan vae encode", "B 3 T H W", video);
        long frames = 1 + (video.dim(2) - 1) / PIECE * PIECE;
        return latent(video.slice(2, 0, frames), Past.none(), activations);
    }

    /// As above, keeping all activations.
    public Tensor encode(Tensor video) {
        return encode(video, Activations.KEEP);
    }

    /// Normalised latent `[B, z, t, h, w]` → pixels around −1 … 1, not clamped: `[B, 3, T, H, W]`.
    public Tensor decode(Tensor z, Activations activations) {
        return pixels(z, Past.none(), activations);
    }

    /// As above, keeping all activations.
    public Tensor decode(Tensor z) {
        return decode(z, Activations.KEEP);
    }

    /// Takes pixels in pieces of 1, 4, 4, … frames and gives a latent frame for each. Remembers nothing for a way back.
    public VaeStream encoding() {
        return new VaeStream(this::latent);
    }

    /// Takes latent frames one at a time and gives 1, 4, 4, … frames of pixels. Remembers nothing for a way back.
    public VaeStream decoding() {
        return new VaeStream(this::pixels);
    }

    /// [#encode] piece by piece: less memory, no way back.
    public Tensor encodeInPieces(Tensor video) {
        var pieces = new ArrayList<Tensor>();
        try (var stream = encoding()) {
            pieces.add(stream.next(video.slice(2, 0, 1)));
            for (long t = 1; t + PIECE <= video.dim(2); t += PIECE) pieces.add(stream.next(video.slice(2, t, t + PIECE)));
        }
        return Tensor.concat(2, pieces);
    }

    /// [#decode] one latent frame at a time: less memory, no way back.
    public Tensor decodeInPieces(Tensor z) {
        var pieces = new ArrayList<Tensor>();
        try (var stream = decoding()) {
            for (long t = 0; t < z.dim(2); t++) pieces.add(stream.next(z.slice(2, t, t + 1)));
        }
        return Tensor.concat(2, pieces);
    }

    private Tensor latent(Tensor video, Past past, Activations activations) {
        var moments = conv1.forward(layer("encoder", () -> encoder.forward(video, past, activations)), past);
        return scale.normalize(moments.slice(1, 0, config.zDim()));
    }

    private Tensor pixels(Tensor z, Past past, Activations activations) {
        Dims.of("wan vae decode", "B " + config.zDim() + " t h w", z);
        var x = conv2.forward(scale.denormalize(z), past);
        return at("decoder", () -> decoder.forward(x, past, activations));
    }
}
