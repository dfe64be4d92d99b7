package otherwise.models.clip;

import java.util.List;
import otherwise.autograd.Activations;
import otherwise.nn.Interpolation;
import otherwise.nn.LayerNorm;
import otherwise.nn.Streamed;
import otherwise.nn.Trace;
import otherwise.nn.Weights;
import otherwise.tensor.Conv3d.Geometry;
import otherwise.tensor.Dims;
import otherwise.tensor.Tensor;

/// CLIP's image encoder, a vision transformer (wan/modules/clip.py, VisionTransformer): what the video generator sees of the first frame.
///
/// The result is the sequence of all tokens, the class token first; neither the final normalisation nor the projection to the space of
/// texts is applied.
///
/// @param clsEmbedding `[1, 1, C]` the class token
/// @param posEmbedding `[1, 1+P, C]` a vector for every place, the class token's first
/// @param patchEmbedding `[C, 3, S, S]`
/// @param patchBias `[C]`; `null` with a pre-norm
/// @param preNorm `null` without
public record ClipVision(
        Tensor clsEmbedding,
        Tensor posEmbedding,
        Tensor patchEmbedding,
        Tensor patchBias,
        LayerNorm preNorm,
        List<ClipBlock> blocks,
        ClipConfig config) {
    private static final double[] MEAN = {.48145466, .4578275, .40821073};
    private static final double[] DEVIATION = {.26862954, .26130258, .27577711};

    /// @throws otherwise.backend.ShapeException naming the first tensor that is missing or has another shape
    public static ClipVision load(Weights w, ClipConfig c) {
        return load(w, c, List.copyOf(blocks(w, c)));
    }

    /// With blocks that are read when their turn comes, and freed after it: to be run with [Activations#RECOMPUTE] alone.
    public static ClipVision stream(Weights w, ClipConfig c) {
        return load(w, c, blocks(w, c));
    }

    private static List<ClipBlock> blocks(Weights w, ClipConfig c) {
        return new Streamed<>(c.numLayers(), i -> ClipBlock.load(w.at("transformer").at(i), c));
    }

    private static ClipVision load(Weights w, ClipConfig c, List<ClipBlock> blocks) {
        var patch = w.at("patch_embedding");
        return new ClipVision(
                w.tensor("cls_embedding", 1, 1, c.dim()),
                w.tensor("pos_embedding", 1, 1 + (long) c.grid() * c.grid(), c.dim()),
                patch.tensor("weight", c.dim(), 3, c.patchSize(), c.patchSize()),
                c.preNorm() ? null : patch.tensor("bias", c.dim()),
                c.preNorm() ? LayerNorm.load(w.at("pre_norm"), c.dim(), c.eps()) : null,
                blocks,
                c);
    }

    /// What the video generator is conditioned on: the tokens after all blocks but the last. `[B, 3, H, W]` → `[B, 1+P, C]`
    ///
    /// @param image as [#preprocess] makes it
    public Tensor features(Tensor image, Activations activations) {
        return forward(image, blocks.size() - 1, activations);
    }

    /// As above, keeping all activations.
    public Tensor features(Tensor image) {
        return features(image, Activations.KEEP);
    }

    /// The tokens after all blocks: `[B, 3, H, W]` → `[B, 1+P, C]`.
    ///
    /// @param image as [#preprocess] makes it; of another size than the config's, the position table is interpolated
    public Tensor forward(Tensor image) {
        return forward(image, blocks.size(), Activations.KEEP);
    }

    private Tensor forward(Tensor image, int depth, Activations activations) {
        Dims.of("clip_vision", "B 3 H W", image);
        var x = embed(image);
        if (preNorm != null) x = Trace.note("pre_norm", preNorm.forward(x));
        for (int i = 0; i < depth; i++) {
            int number = i;
            var before = x;
            x = Trace.layer("transformer." + i, () -> activations.run(() -> blocks.get(number).forward(before)));
        }
        return x;
    }

    /// Patches as tokens behind the class token, each with its place.
    private Tensor embed(Tensor image) {
        int s = config.patchSize();
        long c = config.dim();
        var frames = image.reshape(image.dim(0), 3, 1, image.dim(2), image.dim(3));
        var patches = frames.conv3d(patchEmbedding.reshape(c, 3, 1, s, s), patchBias, Geometry.patches(1, s, s)); // [B, C, 1, h, w]
        long h = patches.dim(3);
        long w = patches.dim(4);
        Trace.note("patch_embedding", patches.reshape(-1, c, h, w));
        var tokens = patches.reshape(-1, c, h * w).permute(0, 2, 1); // [B, P, C]
        return Tensor.concat(1, clsEmbedding.expand(tokens.dim(0), 1, c), tokens).add(positions(h, w));
    }

    /// The position table for h × w patches, `[1, 1+P, C]`.
    private Tensor positions(long h, long w) {
        long n = config.grid();
        if (h == n && w == n) return posEmbedding;
        long c = config.dim();
        var places = posEmbedding.slice(1, 1, 1 + n * n).reshape(n, n, c).permute(2, 0, 1); // [C, n, n]
        var resized = Interpolation.BICUBIC.resize(places, h, w).permute(1, 2, 0).reshape(1, h * w, c);
        return Tensor.concat(1, posEmbedding.slice(1, 0, 1), resized);
    }

    /// Pictures in [−1, 1] as the encoder wants them: resized to its size whatever their shape, in CLIP's normalisation.
    /// `[B, 3, H, W]` → `[B, 3, S, S]`. Differentiable.
    public static Tensor preprocess(Tensor image, int size) {
        Dims.of("clip_preprocess", "B 3 H W", image);
        var mean = Tensor.of(image.backend(), MEAN, 1, 3, 1, 1);
        var deviation = Tensor.of(image.backend(), DEVIATION, 1, 3, 1, 1);
        return Interpolation.BICUBIC.resize(image, size, size).affine(0.5, 0.5).sub(mean).div(deviation);
    }
}
