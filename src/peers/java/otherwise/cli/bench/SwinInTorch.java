package otherwise.cli.bench;

import static otherwise.cli.bench.TorchLayers.cat;
import static otherwise.cli.bench.TorchLayers.times;

import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/// Video Swin with torchvision's operations, for clips that fall into whole windows.
final class SwinInTorch {
    private final TorchLayers layers;
    private final String at;
    private final int[] depths;
    private final long[] heads;
    private final int window;
    private final Map<String, Tensor> constants = new HashMap<>();

    SwinInTorch(TorchLayers layers, String at, int[] depths, long[] heads, int window) {
        this.layers = layers;
        this.at = at;
        this.depths = depths;
        this.heads = heads;
        this.window = window;
    }

    /// `[1, 3, T, H, W]`, normalised → `[1, classes]`
    Tensor logits(Tensor clip) {
        var x = layers.layerNorm(at + "patch_embed.norm", layers.conv3d(at + "patch_embed.proj", clip, 2, 4, 4).permute(0, 2, 3, 4, 1), 1e-5);
        for (int stage = 0; stage < depths.length; stage++) {
            for (int i = 0; i < depths[stage]; i++) {
                var name = at + "features." + 2 * stage + "." + i + ".";
                x = x.add(attention(name + "attn.", layers.layerNorm(name + "norm1", x, 1e-5), heads[stage], i % 2 == 1));
                var inner = torch.gelu(layers.linear(name + "mlp.0", layers.layerNorm(name + "norm2", x, 1e-5)));
                x = x.add(layers.linear(name + "mlp.3", inner));
            }
            if (stage < depths.length - 1) x = merged(at + "features." + (2 * stage + 1) + ".", x);
        }
        x = layers.layerNorm(at + "norm", x, 1e-5);
        return layers.linear(at + "head", x.mean(1, 2, 3));
    }

    private Tensor merged(String name, Tensor x) {
        var half = x.unflatten(2, x.size(2) / 2, 2).unflatten(4, x.size(3) / 2, 2); // [B, T, H/2, 2, W/2, 2, C]
        var parts = new Tensor[4];
        for (int i = 0; i < 4; i++) parts[i] = half.select(5, i / 2).select(3, i % 2);
        return layers.linear(name + "reduction", layers.layerNorm(name + "norm", cat(-1, parts), 1e-5));
    }

    private Tensor attention(String name, Tensor x, long heads, boolean odd) {
        long[] size = {x.size(1), x.size(2), x.size(3)};
        long c = x.size(4);
        var w = new long[3];
        var shift = new long[3];
        long length = 1;
        for (int a = 0; a < 3; a++) {
            w[a] = Math.min(window, size[a]);
            shift[a] = odd && size[a] > window ? window / 2 : 0;
            length *= w[a];
        }
        boolean rolls = shift[0] + shift[1] + shift[2] > 0;
        if (rolls) x = torch.roll(x, new long[] {-shift[0], -shift[1], -shift[2]}, 1, 2, 3);
        long[] n = {size[0] / w[0], size[1] / w[1], size[2] / w[2]};
        long count = n[0] * n[1] * n[2];
        var inside = x.view(1, n[0], w[0], n[1], w[1], n[2], w[2], c).permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(count, length, c);
        var qkv = layers.linear(name + "qkv", inside).view(count, length, 3, heads, c / heads).permute(2, 0, 3, 1, 4);
        var q = times(qkv.select(0, 0), 1 / Math.sqrt((double) c / heads));
        var scores = torch.matmul(q, qkv.select(0, 1).transpose(-2, -1)).add(bias(name, heads, length));
        if (rolls) scores = scores.add(mask(size, w, shift, count, length));
        var y = torch.matmul(scores.softmax(-1), qkv.select(0, 2)).transpose(1, 2).reshape(count, length, c);
        y = layers.linear(name + "proj", y).view(1, n[0], n[1], n[2], w[0], w[1], w[2], c).permute(0, 1, 4, 2, 5, 3, 6, 7)
                .reshape(1, size[0], size[1], size[2], c);
        return rolls ? torch.roll(y, shift, 1, 2, 3) : y;
    }

    private Tensor bias(String name, long heads, long length) {
        var index = constants.computeIfAbsent("index " + length, key -> {
            int n = (int) length;
            var at = new float[n * n];
            for (int i = 0; i < n; i++) {
                for (int j = 0; j < n; j++) {
                    int dt = i / (window * window) - j / (window * window) + window - 1;
                    int dh = i / window % window - j / window % window + window - 1;
                    int dw = i % window - j % window + window - 1;
                    at[i * n + j] = (dt * (2 * window - 1) + dh) * (2 * window - 1) + dw;
                }
            }
            // Kept beyond the scope of the run that needs it first.
            return LibTorch.tensor(new Array.Given("index", at, at.length)).to(torch.ScalarType.Long).<Tensor>retainReference();
        });
        return layers.get(name + "relative_position_bias_table").index_select(0, index).view(length, length, heads).permute(2, 0, 1);
    }

    /// 0 where two tokens of a window are neighbours, −100 where only the roll brought them together, `[W, 1, L, L]`
    private Tensor mask(long[] size, long[] w, long[] shift, long count, long length) {
        return constants.computeIfAbsent("mask " + size[1] + "x" + size[2], key -> {
            int n = (int) length;
            var region = new int[(int) (count * length)];
            int at = 0;
            for (long bt = 0; bt < size[0]; bt += w[0]) {
                for (long bh = 0; bh < size[1]; bh += w[1]) {
                    for (long bw = 0; bw < size[2]; bw += w[2]) {
                        for (long t = bt; t < bt + w[0]; t++) {
                            for (long h = bh; h < bh + w[1]; h++) {
                                for (long x = bw; x < bw + w[2]; x++) {
                                    region[at++] = 9 * region(t, 0, size, w, shift) + 3 * region(h, 1, size, w, shift)
                                            + region(x, 2, size, w, shift);
                                }
                            }
                        }
                    }
                }
            }
            var mask = new float[region.length * n];
            for (int i = 0; i < region.length; i++) {
                for (int j = 0; j < n; j++) mask[i * n + j] = region[i] == region[i / n * n + j] ? 0 : -100;
            }
            return LibTorch.tensor(new Array.Given("mask", mask, count, 1, length, length)).<Tensor>retainReference();
        });
    }

    private static int region(long i, int axis, long[] size, long[] w, long[] shift) {
        if (shift[axis] == 0 || i < size[axis] - w[axis]) return 0;
        return i < size[axis] - shift[axis] ? 1 : 2;
    }
}
