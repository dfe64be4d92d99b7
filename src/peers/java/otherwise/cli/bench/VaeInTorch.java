package otherwise.cli.bench;

import static otherwise.cli.bench.TorchLayers.cat;
import static otherwise.cli.bench.TorchLayers.pad;
import static otherwise.cli.bench.TorchLayers.times;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/// The decoder of Wan's autoencoder over a whole clip: four levels, of which the two deepest double the frames too.
record VaeInTorch(TorchLayers layers, String at, int residuals) {

    /// z `[1, 16, t, h, w]`, normalised → pixels
    Tensor decode(Tensor z) {
        var x = z.div(layers.get(at + "latents_inverse")).add(layers.get(at + "latents_mean"));
        x = layers.conv3d(at + "conv2", x, 1, 1, 1);
        x = causal(at + "decoder.conv1", x);
        x = residual(at + "decoder.middle.0.", x);
        x = attention(at + "decoder.middle.1.", x);
        x = residual(at + "decoder.middle.2.", x);
        int n = 0;
        for (int level = 3; level >= 0; level--) {
            for (int i = 0; i < residuals; i++) x = residual(at + "decoder.upsamples." + n++ + ".", x);
            if (level > 0) x = upsample(at + "decoder.upsamples." + n++ + ".", x, level > 1);
        }
        return causal(at + "decoder.head.2", torch.silu(norm(at + "decoder.head.0.gamma", x)));
    }

    private Tensor causal(String name, Tensor x) {
        return layers.conv3d(name, pad(x, 1, 1, 1, 1, 2, 0), 1, 1, 1);
    }

    /// F.normalize over the channels, times √C · gamma
    private Tensor norm(String name, Tensor x) {
        var length = x.norm(new ScalarOptional(new Scalar(2.0)), new long[] {1}, true).clamp_min(new Scalar(1e-12));
        return times(x.div(length), Math.sqrt(x.size(1))).mul(layers.get(name));
    }

    private Tensor residual(String name, Tensor x) {
        var y = causal(name + "residual.2", torch.silu(norm(name + "residual.0.gamma", x)));
        y = causal(name + "residual.6", torch.silu(norm(name + "residual.3.gamma", y)));
        return y.add(layers.given().containsKey(name + "shortcut.weight") ? layers.conv3d(name + "shortcut", x, 1, 1, 1) : x);
    }

    private Tensor attention(String name, Tensor x) {
        long c = x.size(1);
        long t = x.size(2);
        long h = x.size(3);
        long w = x.size(4);
        var frames = norm(name + "norm.gamma", x.permute(0, 2, 1, 3, 4).reshape(t, c, h, w));
        var qkv = conv2d(name + "to_qkv", frames, 0).reshape(t, 1, 3 * c, h * w).permute(0, 1, 3, 2).chunk(3, -1);
        var y = torch.scaled_dot_product_attention(qkv.get(0), qkv.get(1), qkv.get(2));
        var out = conv2d(name + "proj", y.permute(0, 1, 3, 2).reshape(t, c, h, w), 0);
        return x.add(out.view(1, t, c, h, w).permute(0, 2, 1, 3, 4));
    }

    private Tensor conv2d(String name, Tensor x, long padding) {
        return torch.conv2d(
                x, layers.get(name + ".weight"), new TensorOptional(layers.get(name + ".bias")), new long[] {1, 1},
                new long[] {padding, padding}, new long[] {1, 1}, 1);
    }

    private Tensor upsample(String name, Tensor x, boolean time) {
        if (time) {
            var rest = x.narrow(2, 1, x.size(2) - 1);
            var both = layers.conv3d(name + "time_conv", pad(rest, 0, 0, 0, 0, 2, 0), 1, 1, 1);
            var pairs = both.view(1, 2, x.size(1), rest.size(2), x.size(3), x.size(4)).permute(0, 2, 3, 1, 4, 5)
                    .reshape(1, x.size(1), 2 * rest.size(2), x.size(3), x.size(4));
            x = cat(2, x.narrow(2, 0, 1), pairs);
        }
        long t = x.size(2);
        var frames = x.permute(0, 2, 1, 3, 4).reshape(t, x.size(1), x.size(3), x.size(4));
        var large = torch.upsample_nearest2d(frames, 2 * x.size(3), 2 * x.size(4));
        var y = conv2d(name + "resample.1", large, 1);
        return y.view(1, t, y.size(1), y.size(2), y.size(3)).permute(0, 2, 1, 3, 4);
    }
}
