package otherwise.models.wan;

import static otherwise.nn.Trace.layer;

import java.util.ArrayList;
import java.util.List;
import otherwise.autograd.Activations;
import otherwise.models.wan.VaeLayer.AttentionBlock;
import otherwise.models.wan.VaeLayer.ResidualBlock;
import otherwise.models.wan.VaeLayer.Upsample;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// Latent to pixels, level by level (wan/modules/vae.py, Decoder3d).
record VaeDecoder(CausalConv3d conv1, List<VaeLayer> middle, List<VaeLayer> upsamples, VaeLayer.Head head) {

    static VaeDecoder load(Weights w, WanVaeConfig c) {
        var layers = new ArrayList<VaeLayer>();
        var at = w.at("upsamples");
        long deepest = c.channels(c.levels() - 1);
        long width = deepest;
        for (int level = c.levels() - 1; level >= 0; level--) {
            for (int i = 0; i <= c.numResBlocks(); i++) {
                layers.add(ResidualBlock.load(at.at(layers.size()), width, c.channels(level)));
                width = c.channels(level);
                if (c.attends(level)) layers.add(AttentionBlock.load(at.at(layers.size()), width));
            }
            if (level > 0) {
                layers.add(Upsample.load(at.at(layers.size()), width, c.temperalDownsample().get(level - 1)));
                width /= 2;
            }
        }
        return new VaeDecoder(
                CausalConv3d.load(w.at("conv1"), c.zDim(), deepest, 3),
                VaeLayer.middle(w.at("middle"), deepest),
                List.copyOf(layers),
                VaeLayer.Head.load(w.at("head"), width, 3));
    }

    /// `[B, z, t, h, w]` → `[B, 3, T, H, W]`
    Tensor forward(Tensor z, Past past, Activations activations) {
        var x = layer("conv1", () -> conv1.forward(z, past));
        x = VaeLayer.through("middle", middle, x, past, activations);
        x = VaeLayer.through("upsamples", upsamples, x, past, activations);
        var last = x;
        return activations.run(() -> head.forward(last, past));
    }
}
