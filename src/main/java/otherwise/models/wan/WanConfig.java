package otherwise.models.wan;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.function.Function;
import otherwise.backend.Shape;

/// The sizes of a Wan transformer, named as in the official `config.json` (wan/configs, wan/modules/model.py).
///
/// @param modelType `i2v` (text and a first frame) or `t2v` (text alone)
/// @param patchSize frames, height and width of the patch of latent that makes one token
/// @param textLen text tokens; shorter texts are filled up with zeros, which are attended to
/// @param inDim channels going in: noise, and for `i2v` mask and first frame
/// @param dim width of a token
/// @param ffnDim width inside the feed-forward layers
/// @param freqDim width of the time sinusoid
/// @param textDim width of the text encoder's rows
/// @param outDim channels coming out
/// @param qkNorm whether queries and keys are normalised
/// @param crossAttnNorm whether the tokens are normalised before they look at the text
/// @param eps ε of all norms but those around the image features
/// @param clipDim width of the image encoder's rows; unused for `t2v`
public record WanConfig(
        String modelType,
        List<Integer> patchSize,
        int textLen,
        int inDim,
        int dim,
        int ffnDim,
        int freqDim,
        int textDim,
        int outDim,
        int numHeads,
        int numLayers,
        boolean qkNorm,
        boolean crossAttnNorm,
        double eps,
        int clipDim) {

    /// @throws IllegalArgumentException if the sizes do not fit together
    public WanConfig {
        patchSize = List.copyOf(patchSize);
        if (patchSize.size() != 3) throw new IllegalArgumentException("patch_size " + patchSize + " is not frames, height, width");
        if (!modelType.equals("i2v") && !modelType.equals("t2v")) {
            throw new IllegalArgumentException("model_type '" + modelType + "' is neither 'i2v' nor 't2v'");
        }
        if (dim % numHeads != 0 || dim / numHeads % 2 != 0) {
            throw new IllegalArgumentException("dim " + dim + " does not divide into " + numHeads + " heads of even width");
        }
        if (freqDim % 2 != 0) throw new IllegalArgumentException("freq_dim " + freqDim + " is odd");
    }

    /// Wan2.1-I2V-14B, 480P and 720P (wan/configs/wan_i2v_14B.py).
    public static WanConfig i2v14B() {
        return new WanConfig("i2v", List.of(1, 2, 2), 512, 36, 5120, 13824, 256, 4096, 16, 40, 40, true, true, 1e-6, 1280);
    }

    /// Wan2.1-T2V-14B (wan/configs/wan_t2v_14B.py).
    public static WanConfig t2v14B() {
        return new WanConfig("t2v", List.of(1, 2, 2), 512, 16, 5120, 13824, 256, 4096, 16, 40, 40, true, true, 1e-6, 1280);
    }

    /// Wan2.1-T2V-1.3B (wan/configs/wan_t2v_1_3B.py).
    public static WanConfig t2v1_3B() {
        return new WanConfig("t2v", List.of(1, 2, 2), 512, 16, 1536, 8960, 256, 4096, 16, 12, 30, true, true, 1e-6, 1280);
    }

    /// The image-to-video interface of the 14B model at the size of T2V-1.3B, as in alibaba-pai's Wan2.1-Fun-1.3B-InP.
    public static WanConfig i2v1_3B() {
        return new WanConfig("i2v", List.of(1, 2, 2), 512, 36, 1536, 8960, 256, 4096, 16, 12, 30, true, true, 1e-6, 1280);
    }

    /// From the `config.json` beside a checkpoint. What that file may leave out has the official default.
    ///
    /// @throws IllegalArgumentException naming a missing or unfitting entry
    public static WanConfig of(JsonNode json) {
        var patch = json.path("patch_size");
        return new WanConfig(
                json.path("model_type").asText("t2v"),
                List.of(patch.path(0).asInt(1), patch.path(1).asInt(2), patch.path(2).asInt(2)),
                json.path("text_len").asInt(512),
                size(json, "in_dim"),
                size(json, "dim"),
                size(json, "ffn_dim"),
                json.path("freq_dim").asInt(256),
                json.path("text_dim").asInt(4096),
                size(json, "out_dim"),
                size(json, "num_heads"),
                size(json, "num_layers"),
                json.path("qk_norm").asBoolean(true),
                json.path("cross_attn_norm").asBoolean(true),
                json.path("eps").asDouble(1e-6),
                json.path("clip_dim").asInt(1280));
    }

    /// What a checkpoint's tensors tell. They do not tell the number of heads, of which every published model has one for 128 channels, nor the
    /// length of the text, 512 in all of them.
    ///
    /// @param shapes the shape of the tensor of an official name, or `null` if there is none
    /// @throws IllegalArgumentException naming a tensor that is missing or has an unfitting rank
    public static WanConfig ofShapes(Function<String, Shape> shapes) {
        var patch = shape(shapes, "patch_embedding.weight", 5);
        var size = List.of((int) patch.dim(2), (int) patch.dim(3), (int) patch.dim(4));
        int dim = (int) patch.dim(0);
        int layers = 0;
        while (shapes.apply("blocks." + layers + ".modulation") != null) layers++;
        var image = shapes.apply("img_emb.proj.0.weight");
        return new WanConfig(
                image == null ? "t2v" : "i2v",
                size,
                512,
                (int) patch.dim(1),
                dim,
                (int) shape(shapes, "blocks.0.ffn.0.weight", 2).dim(0),
                (int) shape(shapes, "time_embedding.0.weight", 2).dim(1),
                (int) shape(shapes, "text_embedding.0.weight", 2).dim(1),
                (int) shape(shapes, "head.head.weight", 2).dim(0) / (size.get(0) * size.get(1) * size.get(2)),
                Math.max(1, dim / 128),
                layers,
                shapes.apply("blocks.0.self_attn.norm_q.weight") != null,
                shapes.apply("blocks.0.norm3.weight") != null,
                1e-6,
                image == null ? 1280 : (int) image.dim(0));
    }

    private static Shape shape(Function<String, Shape> shapes, String name, int rank) {
        var shape = shapes.apply(name);
        if (shape == null) throw new IllegalArgumentException("no Wan transformer: there is no tensor " + name);
        if (shape.rank() != rank) throw new IllegalArgumentException("no Wan transformer: " + name + " is " + shape);
        return shape;
    }

    private static int size(JsonNode json, String name) {
        int size = json.path(name).asInt(0);
        if (size < 1) throw new IllegalArgumentException("the transformer's configuration has no positive '" + name + "'");
        return size;
    }

    /// Frames of a patch.
    public int patchT() {
        return patchSize.get(0);
    }

    /// Height of a patch.
    public int patchH() {
        return patchSize.get(1);
    }

    /// Width of a patch.
    public int patchW() {
        return patchSize.get(2);
    }

    /// Whether a first frame is given.
    public boolean imageToVideo() {
        return modelType.equals("i2v");
    }

    /// Width of one attention head.
    public int headDim() {
        return dim / numHeads;
    }

    /// The same with another width of the image features.
    public WanConfig withClipDim(int clipDim) {
        return new WanConfig(
                modelType, patchSize, textLen, inDim, dim, ffnDim, freqDim, textDim, outDim, numHeads, numLayers, qkNorm,
                crossAttnNorm, eps, clipDim);
    }
}
