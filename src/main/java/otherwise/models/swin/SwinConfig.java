package otherwise.models.swin;

import java.util.List;

/// The sizes of a [VideoSwin]; axes are time, height, width.
///
/// @param embedDim channels of the first stage; every further stage has twice as many
/// @param depths blocks in each stage
/// @param numHeads attention heads in each stage
/// @param windowSize tokens of a window along each axis, where the clip is large enough
/// @param mlpRatio hidden size of a block's two linear layers, in channels
/// @param eps of every normalisation
public record SwinConfig(
        List<Integer> patchSize,
        int embedDim,
        List<Integer> depths,
        List<Integer> numHeads,
        List<Integer> windowSize,
        double mlpRatio,
        int numClasses,
        double eps) {

    /// @throws IllegalArgumentException if the sizes do not fit together
    public SwinConfig {
        patchSize = List.copyOf(patchSize);
        depths = List.copyOf(depths);
        numHeads = List.copyOf(numHeads);
        windowSize = List.copyOf(windowSize);
        if (patchSize.size() != 3 || windowSize.size() != 3) {
            throw new IllegalArgumentException(
                    "patch " + patchSize + " and window " + windowSize + " need three sizes: time, height, width");
        }
        if (depths.isEmpty() || depths.size() != numHeads.size()) {
            throw new IllegalArgumentException("depths " + depths + " and heads " + numHeads + " are not of the same number of stages");
        }
        for (int i = 0; i < depths.size(); i++) {
            if (numHeads.get(i) < 1 || ((long) embedDim << i) % numHeads.get(i) != 0) {
                throw new IllegalArgumentException(
                        "stage " + i + ": " + ((long) embedDim << i) + " channels do not divide into " + numHeads.get(i) + " heads");
            }
        }
    }

    /// Swin-T for Kinetics-400 (torchvision `swin3d_t`), 28 million parameters.
    public static SwinConfig t() {
        return kinetics(96, List.of(2, 2, 6, 2), List.of(3, 6, 12, 24));
    }

    /// Swin-S for Kinetics-400 (torchvision `swin3d_s`), 50 million parameters.
    public static SwinConfig s() {
        return kinetics(96, List.of(2, 2, 18, 2), List.of(3, 6, 12, 24));
    }

    /// Swin-B for Kinetics-400 (torchvision `swin3d_b`), 88 million parameters.
    public static SwinConfig b() {
        return kinetics(128, List.of(2, 2, 18, 2), List.of(4, 8, 16, 32));
    }

    private static SwinConfig kinetics(int embedDim, List<Integer> depths, List<Integer> numHeads) {
        return new SwinConfig(List.of(2, 4, 4), embedDim, depths, numHeads, List.of(8, 7, 7), 4, 400, 1e-5);
    }

    /// Channels of stage `i`.
    public int channels(int i) {
        return embedDim << i;
    }

    /// Tokens of a window that is nowhere clipped.
    public int windowTokens() {
        return windowSize.get(0) * windowSize.get(1) * windowSize.get(2);
    }

    /// Entries of a relative position table: one for every difference of two positions in a window.
    public int relativePositions() {
        return (2 * windowSize.get(0) - 1) * (2 * windowSize.get(1) - 1) * (2 * windowSize.get(2) - 1);
    }
}
