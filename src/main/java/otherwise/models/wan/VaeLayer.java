package otherwise.models.wan;

import static otherwise.nn.Trace.layer;

import java.util.List;
import otherwise.autograd.Activations;
import otherwise.autograd.Transient;
import otherwise.nn.ChannelNorm;
import otherwise.nn.Conv2d;
import otherwise.nn.Linear;
import otherwise.nn.Trace;
import otherwise.nn.Weights;
import otherwise.tensor.Conv3d.Geometry;
import otherwise.tensor.Tensor;

/// The four kinds of layers between which the autoencoder's levels choose (wan/modules/vae.py).
sealed interface VaeLayer {

    /// `[B, C, T, H, W]` → `[B, C', T', H', W']`
    Tensor forward(Tensor x, Past past);

    /// One layer behind the other, noted as `name.0`, `name.1`, …
    static Tensor through(String name, List<VaeLayer> layers, Tensor x, Past past, Activations activations) {
        for (int i = 0; i < layers.size(); i++) {
            var next = layers.get(i);
            var before = x;
            x = layer(name + "." + i, () -> activations.run(() -> next.forward(before, past)));
        }
        return x;
    }

    /// x + conv(silu(norm(conv(silu(norm(x)))))), with a 1×1×1 `shortcut` around it where the channels change, `null` elsewhere.
    record ResidualBlock(ChannelNorm norm1, CausalConv3d conv1, ChannelNorm norm2, CausalConv3d conv2, CausalConv3d shortcut)
            implements
                VaeLayer {

        static ResidualBlock load(Weights w, long in, long out) {
            var residual = w.at("residual");
            return new ResidualBlock(
                    ChannelNorm.load(residual.at(0), in, 1, 1, 1),
                    CausalConv3d.load(residual.at(2), in, out, 3),
                    ChannelNorm.load(residual.at(3), out, 1, 1, 1),
                    CausalConv3d.load(residual.at(6), out, out, 3),
                    in == out ? null : CausalConv3d.load(w.at("shortcut"), in, out, 1));
        }

        @Override
        public Tensor forward(Tensor x, Past past) {
            return Transient.of(() -> {
                var half = Transient.of(() -> conv1.forward(norm1.thenSilu(x), past));
                var y = Transient.of(() -> conv2.forward(norm2.thenSilu(half), past));
                return y.add(shortcut == null ? x : shortcut.forward(x, past));
            });
        }
    }

    /// Every pixel of a frame looks at every other of the same frame, with one head, and adds what it finds.
    record AttentionBlock(ChannelNorm norm, Conv2d toQkv, Conv2d proj) implements VaeLayer {

        static AttentionBlock load(Weights w, long c) {
            return new AttentionBlock(
                    ChannelNorm.load(w.at("norm"), c, 1, 1),
                    Conv2d.load(w.at("to_qkv"), c, 3 * c, 1, 1),
                    Conv2d.load(w.at("proj"), c, c, 1, 1));
        }

        @Override
        public Tensor forward(Tensor x, Past past) {
            long c = x.dim(1);
            long frames = x.dim(0) * x.dim(2);
            long pixels = x.dim(3) * x.dim(4);
            // A 1×1 convolution is a linear layer over pixels once the channels come last.
            var rows = norm.forward(x).permute(0, 2, 3, 4, 1);
            var qkv = linear(toQkv).forward(rows).reshape(frames, pixels, 3, c).chunk(3, 2);
            var found = qkv.get(0).attention(qkv.get(1), qkv.get(2), 1 / Math.sqrt(c), null);
            return x.add(linear(proj).forward(found.reshape(rows.shape().dims())).permute(0, 4, 1, 2, 3));
        }

        private static Linear linear(Conv2d conv) {
            return new Linear(conv.weight().reshape(conv.weight().dim(0), conv.weight().dim(1)), conv.bias());
        }
    }

    /// Half the height and width; with `timeConv`, then half the frames too, of which the first stays as it is (Resample, `downsample2d`
    /// and `downsample3d`).
    record Downsample(Conv2d resample, CausalConv3d timeConv) implements VaeLayer {

        static Downsample load(Weights w, long c, boolean time) {
            return new Downsample(
                    Conv2d.load(w.at("resample").at(1), c, c, 3, 3), time ? CausalConv3d.loadTemporal(w.at("time_conv"), c, c, 3) : null);
        }

        @Override
        public Tensor forward(Tensor x, Past past) {
            var frames = resample.forward(x, 2, 0, 1);
            return timeConv == null ? frames : halved(frames, past);
        }

        ///     out₀ = f₀        out_j = W₀·f_{2j−2} + W₁·f_{2j−1} + W₂·f_{2j} + b
        private Tensor halved(Tensor f, Past past) {
            boolean begins = past.begins(this);
            var seen = past.before(this, f);
            past.keep(this, f, 1);
            if (seen.dim(2) == 1) return f;
            var halves = layer("time_conv", () -> timeConv.conv().forward(seen, new Geometry(2, 1, 1, 0, 0, 0, 0, 0, 0)));
            return begins ? Tensor.concat(2, f.slice(2, 0, 1), halves) : halves;
        }
    }

    /// Twice the height and width and half the channels; with `timeConv`, before that twice the frames too, except for the first
    /// (Resample, `upsample2d` and `upsample3d`).
    record Upsample(Conv2d resample, CausalConv3d timeConv) implements VaeLayer {

        static Upsample load(Weights w, long c, boolean time) {
            return new Upsample(
                    Conv2d.load(w.at("resample").at(1), c, c / 2, 3, 3),
                    time ? CausalConv3d.loadTemporal(w.at("time_conv"), c, 2 * c, 3) : null);
        }

        @Override
        public Tensor forward(Tensor x, Past past) {
            var frames = timeConv == null ? x : doubled(x, past);
            return Transient.of(() -> resample.forward(frames.upsample2x(), 1, 1, 1));
        }

        /// The first frame passes untouched and unseen. Every later one becomes two: one from the first half of the convolution's
        /// channels, one from the second.
        private Tensor doubled(Tensor u, Past past) {
            boolean begins = past.begins(this);
            past.keep(this, u, 1); // only to know, at the next piece, that this was not the first
            if (begins && u.dim(2) == 1) return u;
            var rest = begins ? u.slice(2, 1, u.dim(2)) : u;
            var pairs = layer("time_conv", () -> timeConv.forward(rest, past))
                    .reshape(u.dim(0), 2, u.dim(1), rest.dim(2), u.dim(3), u.dim(4))
                    .permute(0, 2, 3, 1, 4, 5)
                    .reshape(u.dim(0), u.dim(1), 2 * rest.dim(2), u.dim(3), u.dim(4));
            return begins ? Tensor.concat(2, u.slice(2, 0, 1), pairs) : pairs;
        }
    }

    /// Norm, silu and convolution, at the end of encoder and decoder.
    record Head(ChannelNorm norm, CausalConv3d conv) {

        static Head load(Weights w, long in, long out) {
            return new Head(ChannelNorm.load(w.at(0), in, 1, 1, 1), CausalConv3d.load(w.at(2), in, out, 3));
        }

        Tensor forward(Tensor x, Past past) {
            return Trace.note("head", Transient.of(() -> conv.forward(norm.thenSilu(x), past)));
        }
    }

    /// Residual block, attention, residual block: between encoder's or decoder's ends.
    static List<VaeLayer> middle(Weights w, long c) {
        return List.of(ResidualBlock.load(w.at(0), c, c), AttentionBlock.load(w.at(1), c), ResidualBlock.load(w.at(2), c, c));
    }
}
