package otherwise.models.wan;

import static otherwise.nn.Trace.layer;

import java.util.ArrayList;
import java.util.List;
import otherwise.autograd.Activations;
import otherwise.models.wan.VaeLayer.AttentionBlock;
import otherwise.models.wan.VaeLayer.Downsample;
import otherwise.models.wan.VaeLayer.ResidualBlock;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// Pixels to latent, level by level (wan/modules/vae.py, Encoder3d).
record VaeEncoder(CausalConv3d conv1, List<VaeLayer> downsamples, List<VaeLayer> middle, VaeLayer.Head head) {

    static VaeEncoder load(Weights w, WanVaeConfig c) {
        var layers = new ArrayList<VaeLayer>();
        var at = w.at("downsamples");
        long width = c.dim();
        for (int level = 0; level < c.levels(); level++) {
            for (int i = 0; i < c.numResBlocks(); i++) {
                layers.add(ResidualBlock.load(at.at(layers.size()), width, c.channels(level)));
                width = c.channels(level);
                if (c.attends(level)) layers.add(AttentionBlock.load(at.at(layers.size()), width));
            }
            if (level < c.levels() - 1) {
                layers.add(Downsample.load(at.at(layers.size()), width, c.temperalDownsample().get(level)));
            }
        }
        return new VaeEncoder(
                CausalConv3d.load(w.at("conv1"), 3, c.dim(), 3),
                List.copyOf(layers),
                VaeLayer.middle(w.at("middle"), width),
                VaeLayer.Head.load(w.at("head"), width, 2L * c.zDim()));
    }

    /// `[B, 3, T, H, W]` → `[B, 2z, t, h, w]`: mean and logarithm of the variance
    Tensor forward(Tensor video, Past past, Activations activations) {
        var x = layer("conv1", () -> conv1.forward(video, past));
        x = VaeLayer.through("downsamples", downsamples, x, past, activations);
        x = VaeLayer.through("middle", middle, x, past, activations);
        var last = x;
        return activations.run(() -> head.forward(last, past));
    }
}
