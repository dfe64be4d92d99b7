package otherwise.explain;

import java.util.function.Supplier;
import otherwise.autograd.Activations;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.diffusion.Sampler;
import otherwise.diffusion.Velocity;
import otherwise.models.clip.ClipVision;
import otherwise.models.umt5.Umt5Encoder;
import otherwise.models.wan.I2vConditioning;
import otherwise.models.wan.WanTransformer;
import otherwise.models.wan.WanVae;
import otherwise.nn.Interpolation;
import otherwise.tensor.Dims;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// Wan's image-to-video driver from an image and a prompt to a video (wan/image2video.py, WanI2V.generate). No way back: explanations go
/// through [WanGenerator].
///
/// The image decides the shape of the video, the options about how many pixels it has. CLIP sees the image as it is, the autoencoder sees it
/// in the video's size.
///
/// @param text `null` if all contexts come from files
public record WanPipeline(Umt5Encoder text, ClipVision clip, WanVae vae, WanTransformer transformer) {

    /// How a video is made.
    ///
    /// @param guidance scale of classifier-free guidance against the negative prompt
    /// @param frames of the video, 1 + 4n
    /// @param maxArea pixels of a frame, at most about
    public record Options(Sampler sampler, int steps, double shift, double guidance, int frames, long maxArea) {

        /// The official ones for videos of 480 × 832.
        public static final Options SMALL = new Options(Sampler.UNIPC, 40, 3, 5, 81, 480L * 832);

        /// The official ones for videos of 720 × 1280.
        public static final Options LARGE = new Options(Sampler.UNIPC, 40, 5, 5, 81, 720L * 1280);

        /// @throws IllegalArgumentException if there is no such video
        public Options {
            if (frames < 1 || frames % 4 != 1) throw new IllegalArgumentException("a video has 1 + 4n frames, not " + frames);
            if (maxArea < 1) throw new IllegalArgumentException("no frame has " + maxArea + " pixels");
        }
    }

    /// Sees what comes about on the way, under the names of the official code: `clip_pixel_values`, `clip_fea`, `vae_encode_input`, `y`,
    /// `context`, `context_null`, `seq_len`, for every step K `stepK/latent_in`, `stepK/timestep`, `stepK/cond`, `stepK/uncond`, and
    /// `final_latent`. A tensor lives until the call returns.
    @FunctionalInterface
    public interface Listener {
        /// Nobody.
        Listener NONE = (name, x) -> {};

        void seen(String name, Tensor x);
    }

    /// @throws IllegalArgumentException if the networks do not fit together
    public WanPipeline {
        WanGenerator.requireFit(transformer, vae, clip);
        if (text != null && text.config().dim() != transformer.config().textDim()) {
            throw new IllegalArgumentException("the transformer takes texts of " + transformer.config().textDim()
                    + " channels, the text encoder makes " + text.config().dim());
        }
    }

    /// What the transformer hears of a text: ids with their end and without padding → `[L, text]`
    ///
    /// @throws IllegalArgumentException if there is no text encoder, or an id is none of its own
    public Tensor context(long[] ids) {
        if (text == null) throw new IllegalArgumentException("there is no text encoder");
        var backend = text.tokenEmbedding().backend();
        return alone(backend, () -> {
            var rows = text.encode(text.embed(Tensor.indices(backend, ids, 1, ids.length)), null, Activations.RECOMPUTE);
            return rows.reshape(ids.length, -1);
        });
    }

    /// The shape of the latent, and so of the noise, for an image `[3, H, W]`: `[z, F, h, w]`
    public Shape latent(Tensor image, Options options) {
        var size = size(image, options);
        return Shape.of(vae.config().zDim(), I2vConditioning.latentFrames(options.frames), size.height(), size.width());
    }

    private I2vConditioning.Size size(Tensor image, Options options) {
        var d = Dims.of("image to video", "3 H W", image);
        var size = I2vConditioning.fit(d.get("H"), d.get("W"), options.maxArea);
        if (size.height() < 1 || size.width() < 1) {
            throw new IllegalArgumentException(
                    "an image of " + d.get("H") + " x " + d.get("W") + " makes no video of " + options.maxArea + " pixels a frame");
        }
        return size;
    }

    /// Makes a video.
    ///
    /// @param image pixels in −1 … 1, `[3, H, W]`, of any size
    /// @param context of the prompt, `[S, text]`
    /// @param contextNull of the negative prompt, `[S, text]`; `null` goes without guidance, at half the price
    /// @param noise as [#latent] says
    /// @return pixels in −1 … 1, `[3, T, H', W']`
    public Tensor generate(Tensor image, Tensor context, Tensor contextNull, Tensor noise, Options options, Listener listener) {
        var wanted = latent(image, options);
        if (!noise.shape().equals(wanted)) throw new IllegalArgumentException("the noise is " + noise.shape() + ", the latent " + wanted);
        try (var _ = Tape.off()) {
            return alone(image.backend(), () -> {
                listener.seen("noise", noise);
                var flow = flow(image, context, contextNull, options, listener);
                var schedule = options.sampler.schedule(options.steps, options.shift);
                var latent = options.sampler.solver().integrate(flow, batch(noise), schedule);
                image.backend().trim();
                listener.seen("final_latent", latent.select(0, 0));
                return clamped(vae.decodeInPieces(latent).select(0, 0));
            });
        }
    }

    /// The guided velocity. What does not change from step to step is computed now.
    private Velocity flow(Tensor image, Tensor context, Tensor contextNull, Options options, Listener listener) {
        var backend = image.backend();
        var pixels = ClipVision.preprocess(batch(image), clip.config().imageSize());
        listener.seen("clip_pixel_values", pixels);
        var seen = alone(backend, () -> clip.features(pixels, Activations.RECOMPUTE));
        listener.seen("clip_fea", seen);

        var size = size(image, options);
        var frame = Interpolation.BICUBIC.resize(batch(image), size.pixels().height(), size.pixels().width());
        listener.seen("vae_encode_input", I2vConditioning.clip(frame, options.frames).select(0, 0));
        var y = alone(backend, () -> I2vConditioning.of(vae, frame, options.frames));
        backend.trim(); // the autoencoder's sizes are not the transformer's
        listener.seen("y", y.select(0, 0));

        listener.seen("context", context);
        if (contextNull != null) listener.seen("context_null", contextNull);
        var patch = transformer.config();
        long tokens = y.dim(2) / patch.patchT() * (size.height() / patch.patchH()) * (size.width() / patch.patchW());
        listener.seen("seq_len", Tensor.full(backend, tokens));
        return new Guided(backend, batch(context), contextNull == null ? null : batch(contextNull), seen, y, options.guidance, listener);
    }

    /// v = uncond + guidance · (cond − uncond): away from what the transformer would do at the negative prompt.
    private final class Guided implements Velocity {
        private final Backend backend;
        private final Tensor context;
        private final Tensor contextNull;
        private final Tensor seen;
        private final Tensor y;
        private final double guidance;
        private final Listener listener;
        private int step;

        Guided(Backend backend, Tensor context, Tensor contextNull, Tensor seen, Tensor y, double guidance, Listener listener) {
            this.backend = backend;
            this.context = context;
            this.contextNull = contextNull;
            this.seen = seen;
            this.y = y;
            this.guidance = guidance;
            this.listener = listener;
        }

        @Override
        public Tensor at(Tensor x, double t) {
            var name = "step" + step++ + "/";
            listener.seen(name + "latent_in", x.select(0, 0));
            listener.seen(name + "timestep", Tensor.full(backend, t, 1));
            return alone(backend, () -> {
                var cond = velocity(x, t, context);
                listener.seen(name + "cond", cond.select(0, 0));
                if (contextNull == null) return cond;
                var uncond = velocity(x, t, contextNull);
                listener.seen(name + "uncond", uncond.select(0, 0));
                return uncond.add(cond.sub(uncond).times(guidance));
            });
        }

        private Tensor velocity(Tensor x, double t, Tensor text) {
            return alone(backend, () -> transformer.forward(x, new double[] {t}, text, seen, y, Activations.RECOMPUTE));
        }
    }

    /// The result of `f` and nothing else: what it needed on the way is freed.
    private static Tensor alone(Backend backend, Supplier<Tensor> f) {
        try (var scope = backend.scope()) {
            var result = f.get();
            scope.keep(result.data());
            return result;
        }
    }

    private static Tensor batch(Tensor x) {
        var dims = new long[x.rank() + 1];
        dims[0] = 1;
        System.arraycopy(x.shape().dims(), 0, dims, 1, x.rank());
        return x.reshape(dims);
    }

    private static Tensor clamped(Tensor video) {
        var values = video.floats();
        for (int i = 0; i < values.length; i++) values[i] = Math.clamp(values[i], -1f, 1f);
        return Tensor.of(video.backend(), values, video.shape().dims());
    }
}
