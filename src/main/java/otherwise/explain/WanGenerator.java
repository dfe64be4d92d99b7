package otherwise.explain;

import otherwise.autograd.Activations;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.diffusion.TimedVelocity;
import otherwise.models.clip.ClipVision;
import otherwise.models.wan.I2vConditioning;
import otherwise.models.wan.WanTransformer;
import otherwise.models.wan.WanVae;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// Wan image-to-video as a generator: first frame → mask, latent and CLIP features; then the transformer is the flow.
///
/// @param prompt the fixed, class-agnostic text, `[S, text]`: neither the class nor the motion may come from words
/// @param shift of the noise schedule it was trained with
public record WanGenerator(WanTransformer transformer, WanVae vae, ClipVision clip, Tensor prompt, double shift, VideoFormat video)
        implements
            Generator {

    /// @throws IllegalArgumentException if the networks cannot make such a video
    public WanGenerator {
        int patch = vae.config().spatialStride() * transformer.config().patchH();
        if (video.height() % patch != 0 || video.width() % patch != 0 || (video.frames() - 1) % vae.config().temporalStride() != 0) {
            throw new IllegalArgumentException("the generator cannot make " + video + ": sides must be multiples of " + patch
                    + ", frames one more than a multiple of " + vae.config().temporalStride());
        }
        requireFit(transformer, vae, clip);
    }

    /// @throws IllegalArgumentException unless the transformer takes what the other two make
    static void requireFit(WanTransformer transformer, WanVae vae, ClipVision clip) {
        if (transformer.config().clipDim() != clip.config().dim()) {
            throw new IllegalArgumentException("the transformer takes image features of " + transformer.config().clipDim()
                    + " channels, the image encoder makes " + clip.config().dim());
        }
        int channels = transformer.config().inDim() - transformer.config().outDim();
        if (transformer.config().outDim() != vae.config().zDim() || channels != 4 + vae.config().zDim()) {
            throw new IllegalArgumentException("the transformer takes " + transformer.config().inDim() + " channels and makes "
                    + transformer.config().outDim() + "; the autoencoder's latent has " + vae.config().zDim());
        }
    }

    @Override
    public Backend backend() {
        return prompt.backend();
    }

    @Override
    public Shape latent() {
        var c = vae.config();
        long frames = 1L + (video.frames() - 1) / c.temporalStride();
        return Shape.of(1, c.zDim(), frames, video.height() / c.spatialStride(), video.width() / c.spatialStride());
    }

    @Override
    public Tensor encode(Tensor video) {
        try (var _ = Tape.off()) {
            return vae.encodeInPieces(video);
        }
    }

    @Override
    public Tensor decode(Tensor latent, Activations activations) {
        // Without a way back, a latent frame at a time takes least memory.
        return latent.requiresGrad() ? vae.decode(latent, activations) : vae.decodeInPieces(latent);
    }

    @Override
    public TimedVelocity condition(Tensor firstFrame, double guidance, Activations activations) {
        var image = firstFrame.reshape(1, 3, video.height(), video.width());
        var told = I2vConditioning.of(vae, image, video.frames());
        var seen = clip.features(ClipVision.preprocess(image, clip.config().imageSize()));
        var text = prompt.reshape(1, prompt.dim(0), prompt.dim(1));
        var silence = guidance == 1 ? null : Tensor.zeros(backend(), 1, 1, prompt.dim(1));
        return new TimedVelocity() {
            @Override
            public Tensor time(double t) {
                return transformer.sinusoid(backend(), t);
            }

            @Override
            public Tensor at(Tensor x, Tensor time) {
                var with = transformer.forward(x, time, text, seen, told, activations);
                if (silence == null) return with;
                var without = transformer.forward(x, time, silence, seen, told, activations);
                return without.add(with.sub(without).times(guidance));
            }
        };
    }
}
