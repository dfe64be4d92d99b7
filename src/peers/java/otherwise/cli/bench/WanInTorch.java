package otherwise.cli.bench;

import static otherwise.cli.bench.TorchLayers.attend;
import static otherwise.cli.bench.TorchLayers.plus;
import static otherwise.cli.bench.TorchLayers.split;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/// The Wan transformer, with the operations of the official code.
///
/// @param cos of the rotary angles, `[1, L, 1, D/2]`; `sin` likewise
record WanInTorch(TorchLayers layers, long heads, Tensor cos, Tensor sin) {
    private static final double EPS = 1e-6;

    static WanInTorch of(TorchLayers layers, long heads, long headDim, long frames, long rows, long columns) {
        return new WanInTorch(layers, heads, angles(headDim, frames, rows, columns, true), angles(headDim, frames, rows, columns, false));
    }

    private static Tensor angles(long headDim, long frames, long rows, long columns, boolean cos) {
        int half = (int) headDim / 2;
        int spatial = (int) headDim / 6;
        int temporal = half - 2 * spatial;
        int tokens = (int) (frames * rows * columns);
        var values = new float[tokens * half];
        for (int t = 0; t < tokens; t++) {
            long[] at = {t / (rows * columns), t / columns % rows, t % columns};
            for (int j = 0; j < half; j++) {
                int axis = j < temporal ? 0 : j < temporal + spatial ? 1 : 2;
                int k = axis == 0 ? j : (j - temporal) % spatial;
                double angle = at[axis] * Math.pow(10000, -k / (double) (axis == 0 ? temporal : spatial));
                values[t * half + j] = (float) (cos ? Math.cos(angle) : Math.sin(angle));
            }
        }
        return LibTorch.tensor(new Array.Given("angles", values, 1, tokens, 1, half));
    }

    /// x `[B, L, C]` · e `[B, 6, C]` · text and image (or `null`) at the width of a token
    Tensor block(String at, Tensor x, Tensor e, Tensor text, Tensor image) {
        var m = layers.get(at + "modulation").add(e);
        var look = modulated(layers.layerNorm("", x, EPS), m, 0);
        var q = turn(split(layers.rmsNorm(at + "self_attn.norm_q", layers.linear(at + "self_attn.q", look), EPS), heads));
        var k = turn(split(layers.rmsNorm(at + "self_attn.norm_k", layers.linear(at + "self_attn.k", look), EPS), heads));
        var v = split(layers.linear(at + "self_attn.v", look), heads);
        var seen = x.add(layers.linear(at + "self_attn.o", attend(q, k, v)).mul(m.narrow(1, 2, 1)));

        var asked = layers.layerNorm(at + "norm3", seen, EPS);
        var query = split(layers.rmsNorm(at + "cross_attn.norm_q", layers.linear(at + "cross_attn.q", asked), EPS), heads);
        var found = cross(at, query, text, "");
        if (image != null) found = found.add(cross(at, query, image, "_img"));
        var told = seen.add(layers.linear(at + "cross_attn.o", found));

        var think = modulated(layers.layerNorm("", told, EPS), m, 3);
        var inner = torch.gelu(layers.linear(at + "ffn.0", think), "tanh");
        return told.add(layers.linear(at + "ffn.2", inner).mul(m.narrow(1, 5, 1)));
    }

    private Tensor cross(String at, Tensor query, Tensor seen, String which) {
        var k = layers.rmsNorm(at + "cross_attn.norm_k" + which, layers.linear(at + "cross_attn.k" + which, seen), EPS);
        return attend(query, split(k, heads), split(layers.linear(at + "cross_attn.v" + which, seen), heads));
    }

    private static Tensor modulated(Tensor x, Tensor m, int first) {
        return x.mul(plus(m.narrow(1, first + 1, 1), 1)).add(m.narrow(1, first, 1));
    }

    /// Adjacent pairs turned by the angle of their token.
    private Tensor turn(Tensor x) {
        var pairs = x.view(x.size(0), x.size(1), x.size(2), x.size(3) / 2, 2);
        var even = pairs.select(4, 0);
        var odd = pairs.select(4, 1);
        var turned = torch.stack(new TensorVector(even.mul(cos).sub(odd.mul(sin)), even.mul(sin).add(odd.mul(cos))), 4);
        return turned.view(x.size(0), x.size(1), x.size(2), x.size(3));
    }

    /// The velocity of x `[1, 16, F, H, W]`, with patches of 1×2×2.
    ///
    /// @param time the sinusoid, `[1, freq]`
    /// @param told mask and first frame, `[1, 20, F, H, W]`
    Tensor velocity(String at, int blocks, Tensor x, Tensor time, Tensor told, Tensor text, Tensor image) {
        long f = x.size(2);
        long h = x.size(3) / 2;
        long w = x.size(4) / 2;
        var tokens = layers.conv3d(at + "patch_embedding", TorchLayers.cat(1, x, told), 1, 2, 2).flatten(2, 4).transpose(1, 2);
        var e = layers.linear(at + "time_embedding.2", torch.silu(layers.linear(at + "time_embedding.0", time)));
        var e0 = layers.linear(at + "time_projection.1", torch.silu(e)).view(1, 6, tokens.size(2));
        var words = layers.linear(at + "text_embedding.2", torch.gelu(layers.linear(at + "text_embedding.0", text), "tanh"));
        var proj = at + "img_emb.proj.";
        var seen = layers.linear(proj + "1", layers.layerNorm(proj + "0", image, 1e-5));
        seen = layers.layerNorm(proj + "4", layers.linear(proj + "3", torch.gelu(seen)), 1e-5);
        for (int i = 0; i < blocks; i++) tokens = block(at + "blocks." + i + ".", tokens, e0, words, seen);
        var m = layers.get(at + "head.modulation").add(e.view(1, 1, e.size(1)));
        var patches = layers.linear(at + "head.head", modulated(layers.layerNorm("", tokens, EPS), m, 0));
        long c = x.size(1);
        return patches.view(1, f, h, w, 1, 2, 2, c).permute(0, 7, 1, 4, 2, 5, 3, 6).reshape(1, c, f, 2 * h, 2 * w);
    }
}
