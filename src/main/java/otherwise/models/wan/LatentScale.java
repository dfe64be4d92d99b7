package otherwise.models.wan;

import java.util.List;
import otherwise.backend.ShapeException;
import otherwise.tensor.Tensor;

/// Mean and deviation of each latent channel, by which the transformer's latents differ from the autoencoder's.
///
/// In single precision as in the official code, which keeps 1/std, rounded, and works with that both ways.
public record LatentScale(List<Float> mean, List<Float> std) {

    public LatentScale {
        if (mean.size() != std.size()) throw new ShapeException("latent scale: " + mean.size() + " means, " + std.size() + " deviations");
        mean = List.copyOf(mean);
        std = List.copyOf(std);
    }

    /// The statistics published with Wan2.1 (wan/modules/vae.py, WanVAE).
    public static LatentScale wan2_1() {
        return new LatentScale(
                List.of(
                        -0.7571f, -0.7089f, -0.9113f, 0.1075f, -0.1745f, 0.9653f, -0.1517f, 1.5508f, 0.4134f, -0.0715f, 0.5517f, -0.3632f,
                        -0.1922f, -0.9497f, 0.2503f, -0.2921f),
                List.of(
                        2.8184f, 1.4541f, 2.3275f, 2.6558f, 1.2196f, 1.7708f, 2.6052f, 2.0743f, 3.2687f, 2.1526f, 2.8652f, 1.5579f, 1.6382f,
                        1.1253f, 2.8251f, 1.9160f));
    }

    /// (mu − mean) · 1/std, over axis 1 of `[B, z, t, h, w]`
    public Tensor normalize(Tensor mu) {
        return mu.sub(channels(mu, mean())).mul(channels(mu, inverse()));
    }

    /// z / (1/std) + mean, over axis 1 of `[B, z, t, h, w]`
    public Tensor denormalize(Tensor z) {
        return z.div(channels(z, inverse())).add(channels(z, mean()));
    }

    /// 1/std, rounded to single precision.
    public List<Float> inverse() {
        return std.stream().map(s -> 1 / s).toList();
    }

    private static Tensor channels(Tensor like, List<Float> values) {
        var floats = new float[values.size()];
        for (int c = 0; c < floats.length; c++) floats[c] = values.get(c);
        return Tensor.of(like.backend(), floats, 1, floats.length, 1, 1, 1);
    }
}
