package otherwise.models.clip;

/// The sizes of a [ClipVision].
///
/// @param imageSize height and width of the image for which the position table was made
/// @param patchSize height and width of a patch
/// @param dim channels
/// @param mlpRatio hidden size of a block's two linear layers, in channels
/// @param preNorm whether tokens are normalised before the first block; the patch embedding then has no bias
public record ClipConfig(
        int imageSize,
        int patchSize,
        int dim,
        double mlpRatio,
        int numHeads,
        int numLayers,
        boolean preNorm,
        Activation activation,
        double eps) {

    /// What stands between a block's two linear layers.
    public enum Activation {
        /// x · Φ(x), exact
        GELU,
        /// x · sigmoid(1.702·x), in OpenAI's first models
        QUICK_GELU
    }

    /// @throws IllegalArgumentException if the sizes do not fit together
    public ClipConfig {
        if (patchSize < 1 || imageSize < patchSize) {
            throw new IllegalArgumentException("an image of " + imageSize + " pixels has no patches of " + patchSize);
        }
        if (numHeads < 1 || dim % numHeads != 0) throw new IllegalArgumentException(dim + " channels do not divide into " + numHeads + " heads");
        if (numLayers < 1) throw new IllegalArgumentException("an encoder needs a block, not " + numLayers);
    }

    /// The ViT-H/14 of XLM-Roberta CLIP, which Wan 2.1 image-to-video looks through: 630 million parameters, 257 tokens of 1280 channels.
    public static ClipConfig vitH14() {
        return new ClipConfig(224, 14, 1280, 4, 16, 32, true, Activation.GELU, 1e-5);
    }

    /// Channels of one head.
    public int headDim() {
        return dim / numHeads;
    }

    /// Patches along one side of the image.
    public int grid() {
        return imageSize / patchSize;
    }
}
