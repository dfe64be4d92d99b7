package otherwise.explain;

import otherwise.backend.Shape;

/// How much memory an iteration of a [WanGenerator] takes, counted from the sizes of its layers.
///
/// What the way back needs of a layer is a fixed number of tensors of its width; the numbers are those that a run on the processor
/// showed. It is an estimate for deciding whether to begin at all: within a factor of two.
final class WanMemory {
    /// Tensors of the width `dim` that a transformer block keeps, feed-forward aside.
    private static final double BLOCK = 22;
    /// Tensors that one residual block of the autoencoder keeps.
    private static final double RESIDUAL = 8;
    /// A block's own way back, and what convolution lays out for itself, in tensors of the widest level.
    private static final double WORK = 6;

    private WanMemory() {}

    static long of(WanGenerator generator, int steps, Checkpointing checkpointing) {
        double bytes = generator.backend().real().bytes();
        return (long) (bytes * (transformer(generator, steps, checkpointing) + decoder(generator, checkpointing)));
    }

    private static double transformer(WanGenerator generator, int steps, Checkpointing checkpointing) {
        var c = generator.transformer().config();
        Shape z = generator.latent();
        double tokens = z.dim(2) * z.dim(3) * z.dim(4) / (double) (c.patchT() * c.patchH() * c.patchW());
        double block = tokens * (BLOCK * c.dim() + 2.0 * c.ffnDim());
        double step = checkpointing == Checkpointing.NESTED ? block + c.numLayers() * tokens * c.dim() : c.numLayers() * block;
        return checkpointing == Checkpointing.NONE ? steps * step : step + 3.0 * steps * z.size();
    }

    /// All layers, or the outputs of all and the inside of the largest.
    private static double decoder(WanGenerator generator, Checkpointing checkpointing) {
        var c = generator.vae().config();
        var video = generator.video();
        double kept = 0;
        double largest = 0;
        int levels = c.dimMult().size();
        for (int level = 0; level < levels; level++) {
            double pixels = (double) video.frames() * video.height() * video.width() / (1L << (2 * level));
            // The deeper levels have fewer frames; the first is as long as the video.
            for (int i = 0; i < level; i++) if (c.temporalStride() > 1 && c.temperalDownsample().get(i)) pixels /= 2;
            double tensor = pixels * c.dim() * c.dimMult().get(level);
            double blocks = c.numResBlocks() + 1.0 + (level == levels - 1 ? 3 : 0);
            kept += checkpointing == Checkpointing.NESTED ? tensor * (blocks + 1) : tensor * (blocks * RESIDUAL + 3);
            largest = Math.max(largest, tensor * (checkpointing == Checkpointing.NESTED ? RESIDUAL + WORK : WORK));
        }
        return kept + largest;
    }
}
