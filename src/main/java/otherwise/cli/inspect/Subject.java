package otherwise.cli.inspect;

import java.util.Collections;
import java.util.List;
import java.util.function.BiFunction;
import otherwise.backend.Backend;
import otherwise.models.clip.ClipConfig;
import otherwise.models.clip.ClipVision;
import otherwise.models.swin.SwinConfig;
import otherwise.models.swin.VideoSwin;
import otherwise.models.umt5.Umt5Config;
import otherwise.models.umt5.Umt5Encoder;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanConfig;
import otherwise.models.wan.WanTransformer;
import otherwise.models.wan.WanVae;
import otherwise.models.wan.WanVaeConfig;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// A network that can be inspected.
///
/// @param usual the video it is meant for
/// @param load takes the weights, and gives the ways through the network for a size of video
record Subject(Size usual, BiFunction<Weights, Size, List<Pass>> load) {

    /// Channels, frames, height and width of what the official autoencoder makes of a video.
    private static final WanVaeConfig OFFICIAL = WanVaeConfig.wan2_1();

    static Subject transformer(WanConfig c, WanVaeConfig vae, int imageTokens, Size usual) {
        return new Subject(usual, (weights, size) -> {
            var network = WanTransformer.load(weights, c);
            long[] latent = latent(vae, size, c.outDim());
            return List.of(new Pass("one denoising step", latent, true, (x, activations) -> {
                var text = blank(x.backend(), 1, c.textLen(), c.textDim());
                if (!c.imageToVideo()) return network.forward(x, new double[] {500}, text, null, null, activations);
                var told = blank(x.backend(), 1, c.inDim() - c.outDim(), latent[2], latent[3], latent[4]);
                var seen = blank(x.backend(), 1, imageTokens, c.clipDim());
                return network.forward(x, new double[] {500}, text, seen, told, activations);
            }));
        });
    }

    static Subject transformer(WanConfig c) {
        return transformer(c, OFFICIAL, 257, new Size(81, 480, 832));
    }

    static Subject vae(WanVaeConfig c, Size usual) {
        return new Subject(usual, (weights, size) -> {
            var ones = Collections.nCopies(c.zDim(), 1f);
            var network = WanVae.load(weights, c, new LatentScale(ones, ones));
            return List.of(
                    new Pass("encode", video(size), true, network::encode),
                    new Pass("decode", latent(c, size, c.zDim()), true, network::decode),
                    new Pass("decode, a latent frame at a time", latent(c, size, c.zDim()), false, (z, _) -> network.decodeInPieces(z)));
        });
    }

    static Subject clip(ClipConfig c) {
        return new Subject(new Size(1, c.imageSize(), c.imageSize()), (weights, size) -> {
            var network = ClipVision.load(weights, c);
            return List.of(new Pass("features of an image", new long[] {1, 3, size.height(), size.width()}, true, network::features));
        });
    }

    static Subject umt5(Umt5Config c) {
        long tokens = 512;
        return new Subject(new Size(1, 1, 1), (weights, _) -> {
            var network = Umt5Encoder.load(weights, c);
            return List.of(new Pass("encode a prompt", new long[] {1, tokens, c.dim()}, true,
                    (x, activations) -> network.encode(x, null, activations)));
        });
    }

    static Subject swin(SwinConfig c, Size usual) {
        return new Subject(usual, (weights, size) -> {
            var network = VideoSwin.load(weights, c);
            return List.of(new Pass("classify a clip", video(size), false, (x, _) -> network.forward(x)));
        });
    }

    private static Tensor blank(Backend backend, long... dims) {
        return Tensor.zeros(backend, dims);
    }

    private static long[] video(Size size) {
        return new long[] {1, 3, size.frames(), size.height(), size.width()};
    }

    private static long[] latent(WanVaeConfig c, Size size, int channels) {
        int space = c.spatialStride();
        if ((size.frames() - 1) % c.temporalStride() != 0 || size.height() % space != 0 || size.width() % space != 0) {
            throw new IllegalArgumentException("a video of " + size + " does not fit: frames must be 1 + " + c.temporalStride()
                    + "·n, height and width multiples of " + space);
        }
        return new long[] {1, channels, 1 + (size.frames() - 1L) / c.temporalStride(), size.height() / space, size.width() / space};
    }
}
