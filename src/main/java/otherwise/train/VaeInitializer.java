package otherwise.train;

import otherwise.backend.Shape;
import otherwise.tensor.Random;

/// Where the video VAE starts: as an image autoencoder that treats every frame alike.
///
/// Time taps into the past are zero, so that the network is an inflated 2-D one; `time_conv` passes the newest frame through; the last
/// convolution of each residual branch is small, so that the branches start near the identity.
public final class VaeInitializer implements Initializer {
    private static final double BRANCH = 0.3;

    @Override
    public float[] values(String name, Shape shape, Random random) {
        if (name.contains("time_conv") && shape.rank() == 5) return newestFrame(shape, random);
        if (shape.rank() == 5) return inflated(shape, name.endsWith("residual.6.weight") ? BRANCH : 1, random);
        if (name.endsWith("proj.weight")) return Initializer.scaled(name, shape, random, BRANCH);
        if (name.endsWith("gamma")) return Initializer.filled(Math.toIntExact(shape.size()), 1);
        return Initializer.scaled(name, shape, random, 1);
    }

    /// `[O, I, kT, kH, kW]` with all but the last time tap zero.
    private static float[] inflated(Shape shape, double gain, Random random) {
        int kt = (int) shape.dim(2);
        int area = (int) (shape.dim(3) * shape.dim(4));
        int kernels = (int) (shape.dim(0) * shape.dim(1));
        var newest = Initializer.normal(kernels * area, gain / Math.sqrt(shape.dim(1) * (double) area), random);
        var w = new float[kernels * kt * area];
        for (int k = 0; k < kernels; k++) System.arraycopy(newest, k * area, w, (k * kt + kt - 1) * area, area);
        return w;
    }

    /// `[n·C, C, kT, 1, 1]`: every output channel is its input channel of the newest frame, and a little noise.
    private static float[] newestFrame(Shape shape, Random random) {
        int out = (int) shape.dim(0);
        int in = (int) shape.dim(1);
        int kt = (int) shape.dim(2);
        var w = Initializer.normal(out * in * kt, 0.02 / Math.sqrt(in), random);
        for (int o = 0; o < out; o++) w[(o * in + o % in) * kt + kt - 1] += 1;
        return w;
    }
}
