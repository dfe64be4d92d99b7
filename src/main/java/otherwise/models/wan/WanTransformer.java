package otherwise.models.wan;

import static otherwise.nn.Trace.layer;
import static otherwise.nn.Trace.note;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import otherwise.autograd.Activations;
import otherwise.backend.Backend;
import otherwise.backend.Backend.Unary;
import otherwise.backend.ShapeException;
import otherwise.models.wan.CrossAttention.Context;
import otherwise.nn.Conv3d;
import otherwise.nn.Linear;
import otherwise.nn.Mlp;
import otherwise.nn.Streamed;
import otherwise.nn.Weights;
import otherwise.tensor.Dims;
import otherwise.tensor.Tensor;

/// The Wan2.1 diffusion transformer: (noisy latent video, time, text, first frame) → velocity (wan/modules/model.py, WanModel).
///
///     patches → tokens → numLayers × WanBlock → head → patches
///
/// `imgEmb` is `null` for a text-to-video model.
public record WanTransformer(
        WanConfig config,
        Conv3d patchEmbedding,
        Mlp textEmbedding,
        Mlp timeEmbedding,
        Linear timeProjection,
        ImageEmbedding imgEmb,
        List<WanBlock> blocks,
        Head head) {

    /// @throws ShapeException naming the first tensor that is missing or has another shape
    public static WanTransformer load(Weights w, WanConfig c) {
        return load(w, c, List.copyOf(blocks(w, c)));
    }

    /// With blocks that are read when their turn comes, and freed after it: to be run with [Activations#RECOMPUTE] alone. That a block is
    /// missing or misshapen shows when it is reached.
    ///
    /// @throws ShapeException naming the first tensor outside the blocks that is missing or has another shape
    public static WanTransformer stream(Weights w, WanConfig c) {
        return load(w, c, blocks(w, c));
    }

    private static List<WanBlock> blocks(Weights w, WanConfig c) {
        return new Streamed<>(c.numLayers(), i -> WanBlock.load(w.at("blocks").at(i), c));
    }

    private static WanTransformer load(Weights w, WanConfig c, List<WanBlock> blocks) {
        return new WanTransformer(
                c,
                Conv3d.load(w.at("patch_embedding"), c.inDim(), c.dim(), c.patchT(), c.patchH(), c.patchW()),
                Mlp.load(w.at("text_embedding"), 0, 2, c.textDim(), c.dim(), c.dim(), Unary.GELU_TANH),
                Mlp.load(w.at("time_embedding"), 0, 2, c.freqDim(), c.dim(), c.dim(), Unary.SILU),
                Linear.load(w.at("time_projection").at(1), c.dim(), 6L * c.dim()),
                c.imageToVideo() ? ImageEmbedding.load(w.at("img_emb"), c) : null,
                blocks,
                Head.load(w.at("head"), c));
    }

    /// As below, with the times themselves.
    ///
    /// @param t times in 0 … 1000, one a sample
    public Tensor forward(Tensor x, double[] t, Tensor context, Tensor clip, Tensor y, Activations activations) {
        return forward(x, sinusoid(x.backend(), t), context, clip, y, activations);
    }

    /// The velocity of a batch of equal sizes. Wherever a batch of B is asked for, one sample serves them all.
    ///
    /// @param x noisy latents `[B, C, F, H, W]`
    /// @param time what [#sinusoid] makes of the times, one a sample
    /// @param context rows of the text encoder `[B, S, text]`, S at most `textLen`
    /// @param clip features of the first frame `[B, P, clip]`; `null` for `t2v`
    /// @param y mask and latent of the first frame `[B, Y, F, H, W]`, put behind the channels of x; `null` for `t2v`
    /// @return `[B, out, F, H, W]`
    public Tensor forward(Tensor x, Tensor time, Tensor context, Tensor clip, Tensor y, Activations activations) {
        var d = Dims.of("wan", "B C F H W", x).and("contexts S text", context);
        var grid = grid(d.get("F"), d.get("H"), d.get("W"));
        var grids = Collections.nCopies(Math.toIntExact(d.get("B")), grid);
        var whole = y == null ? x : Tensor.concat(1, x, y.expand(d.get("B"), y.dim(1), y.dim(2), y.dim(3), y.dim(4)));
        var positions = Positions.of(x.backend(), config.headDim(), grids, grid.tokens());
        return unpatchify(patches(tokens(whole), time, filled(context), clip, positions, activations), grid);
    }

    /// With the times themselves, keeping all activations.
    public Tensor forward(Tensor x, double[] t, Tensor context, Tensor clip, Tensor y) {
        return forward(x, t, context, clip, y, Activations.KEEP);
    }

    /// The velocities of samples of different sizes in one batch, as the official code has it.
    ///
    /// @param x noisy latents, each `[C, F, H, W]`
    /// @param context rows of the text encoder, each `[S, text]`
    /// @param clip `[B, P, clip]` or `null`
    /// @param y each `[Y, F, H, W]`, or `null`
    /// @param length tokens to which every sample is padded
    public List<Tensor> forward(
            List<Tensor> x, double[] t, List<Tensor> context, Tensor clip, List<Tensor> y, long length, Activations activations) {
        var tokens = new ArrayList<Tensor>();
        var grids = new ArrayList<Grid>();
        for (int b = 0; b < x.size(); b++) {
            var sample = y == null ? x.get(b) : Tensor.concat(0, x.get(b), y.get(b));
            var grid = grid(sample.dim(1), sample.dim(2), sample.dim(3));
            if (grid.tokens() > length) throw new ShapeException("wan: " + x.get(b) + " has more than " + length + " tokens");
            tokens.add(tokens(Tensor.stack(List.of(sample))).pad(1, 0, length - grid.tokens()));
            grids.add(grid);
        }
        var text = Tensor.concat(0, context.stream().map(c -> filled(Tensor.stack(List.of(c)))).toList());
        var positions = Positions.of(text.backend(), config.headDim(), grids, length);
        var patches = patches(Tensor.concat(0, tokens), sinusoid(text.backend(), t), text, clip, positions, activations);
        var velocities = new ArrayList<Tensor>();
        for (int b = 0; b < x.size(); b++) {
            var own = patches.slice(0, b, b + 1).slice(1, 0, grids.get(b).tokens());
            velocities.add(unpatchify(own, grids.get(b)).select(0, 0));
        }
        return velocities;
    }

    /// The transformer proper: tokens `[B, L, C]` · text `[B, textLen, text]` → patches `[B, L, patch · out]`
    private Tensor patches(Tensor tokens, Tensor sinusoid, Tensor text, Tensor clip, Positions positions, Activations activations) {
        long times = sinusoid.dim(0);
        if (times != tokens.dim(0)) throw new ShapeException("wan: " + times + " times for a batch of " + tokens.dim(0));
        if ((clip == null) == config.imageToVideo()) {
            var wish = clip == null ? " needs" : " takes no";
            throw new ShapeException("wan: a model of type " + config.modelType() + wish + " image features");
        }
        var time = note("time_sinusoid", sinusoid);
        var e = layer("time_embedding", () -> timeEmbedding.forward(time));
        var e0 = layer("time_projection", () -> timeProjection.forward(e.silu())).reshape(times, 6, config.dim());
        var context = new Context(
                layer("text_embedding", () -> textEmbedding.forward(text)),
                clip == null ? null : layer("img_emb", () -> imgEmb.forward(clip)));
        var x = tokens;
        for (int i = 0; i < blocks.size(); i++) {
            int number = i;
            var before = x;
            x = layer("blocks." + i, () -> activations.run(() -> blocks.get(number).forward(before, e0, context, positions)));
        }
        var last = x;
        return layer("head", () -> head.forward(last, e));
    }

    /// `[B, C, F, H, W]` → `[B, L, dim]`, one token a patch
    private Tensor tokens(Tensor x) {
        var y = patchEmbedding.patches(x);
        return y.reshape(y.dim(0), y.dim(1), -1).permute(0, 2, 1);
    }

    /// `[B, L, patch · out]` → `[B, out, F, H, W]`. In a patch, the channel runs fastest: the other way round than in `tokens`.
    private Tensor unpatchify(Tensor patches, Grid g) {
        long b = patches.dim(0);
        return patches.reshape(b, g.frames(), g.rows(), g.columns(), config.patchT(), config.patchH(), config.patchW(), config.outDim())
                .permute(0, 7, 1, 4, 2, 5, 3, 6)
                .reshape(b, config.outDim(), g.frames() * config.patchT(), g.rows() * config.patchH(), g.columns() * config.patchW());
    }

    private Grid grid(long frames, long height, long width) {
        if (frames % config.patchT() != 0 || height % config.patchH() != 0 || width % config.patchW() != 0) {
            throw new ShapeException("wan: a latent of " + frames + " x " + height + " x " + width + " does not divide into patches of "
                    + config.patchT() + " x " + config.patchH() + " x " + config.patchW());
        }
        return new Grid(frames / config.patchT(), height / config.patchH(), width / config.patchW());
    }

    /// Text filled up to `textLen` rows. The rows of zeros are not masked: the model was trained to see them.
    private Tensor filled(Tensor context) {
        long missing = config.textLen() - context.dim(1);
        if (missing < 0) throw new ShapeException("wan: " + context.dim(1) + " text tokens; the model takes " + config.textLen());
        return context.pad(1, 0, missing);
    }

    /// What the network is told of times in 0 … 1000: cos(t·ω) and then sin(t·ω) with ω = 10000^(−i/half), in double precision on the host,
    /// `[B, freqDim]`.
    public Tensor sinusoid(Backend backend, double... t) {
        int half = config.freqDim() / 2;
        var values = new double[t.length * config.freqDim()];
        for (int b = 0; b < t.length; b++) {
            for (int i = 0; i < half; i++) {
                double angle = t[b] * Math.pow(10000, -i / (double) half);
                values[b * config.freqDim() + i] = Math.cos(angle);
                values[b * config.freqDim() + half + i] = Math.sin(angle);
            }
        }
        return Tensor.of(backend, values, t.length, config.freqDim());
    }
}
