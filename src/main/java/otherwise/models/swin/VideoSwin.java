package otherwise.models.swin;

import java.util.ArrayList;
import java.util.List;
import otherwise.nn.Conv3d;
import otherwise.nn.LayerNorm;
import otherwise.nn.Linear;
import otherwise.nn.Trace;
import otherwise.nn.Weights;
import otherwise.tensor.Conv3d.Geometry;
import otherwise.tensor.Dims;
import otherwise.tensor.Tensor;

/// Video Swin Transformer, a classifier of clips (Liu et al. 2022; torchvision `models/video/swin_transformer.py`, in evaluation mode).
///
/// Patches of a clip become tokens; stages of window attention follow one another, each at half the resolution and twice the channels of
/// the one before; the mean over all tokens is classified.
///
/// @param patches the patch embedding's convolution, kernel = stride
/// @param mergings what stands between the stages, one fewer than those
public record VideoSwin(
        Conv3d patches,
        LayerNorm patchNorm,
        List<SwinStage> stages,
        List<PatchMerging> mergings,
        LayerNorm norm,
        Linear head,
        SwinConfig config) {

    /// From a checkpoint with torchvision's names: stage i is `features.2i`, the merging after it `features.2i+1`.
    public static VideoSwin load(Weights w, SwinConfig c) {
        var patch = c.patchSize();
        var stages = new ArrayList<SwinStage>();
        var mergings = new ArrayList<PatchMerging>();
        int last = c.depths().size() - 1;
        for (int i = 0; i <= last; i++) {
            stages.add(SwinStage.load(w.at("features").at(2 * i), i, c));
            if (i < last) mergings.add(PatchMerging.load(w.at("features").at(2 * i + 1), c.channels(i), c.eps()));
        }
        var embed = w.at("patch_embed");
        return new VideoSwin(
                Conv3d.load(embed.at("proj"), 3, c.embedDim(), patch.get(0), patch.get(1), patch.get(2)),
                LayerNorm.load(embed.at("norm"), c.embedDim(), c.eps()),
                List.copyOf(stages),
                List.copyOf(mergings),
                LayerNorm.load(w.at("norm"), c.channels(last), c.eps()),
                Linear.load(w.at("head"), c.channels(last), c.numClasses()),
                c);
    }

    /// Logits of a batch of clips: `[B, 3, T, H, W]`, normalised as in training → `[B, classes]`.
    public Tensor forward(Tensor video) {
        Dims.of("video_swin", "B 3 T H W", video);
        var tokens = Trace.note("patch_embed", embed(video)); // [B, T, H, W, C]
        var grid = Grid.of(tokens);
        var x = tokens.reshape(grid.tokens(), -1);
        for (int i = 0; i < stages.size(); i++) {
            x = stage(i, x, grid);
            if (i == mergings.size()) break;
            x = mergings.get(i).forward(x, grid);
            grid = PatchMerging.merged(grid);
            Trace.note("features." + (2 * i + 1), grid.unfold(x));
        }
        x = norm.forward(x);
        Trace.note("norm", grid.unfold(x));
        return head.forward(x.reshape(grid.b(), -1, x.dim(1)).mean(1).reshape(grid.b(), x.dim(1)));
    }

    private Tensor stage(int i, Tensor x, Grid grid) {
        var name = "features." + 2 * i;
        var y = Trace.at(name, () -> stages.get(i).forward(x, grid));
        Trace.note(name, grid.unfold(y));
        return y;
    }

    /// `[B, 3, T, H, W]`, filled up to whole patches → `[B, T', H', W', C]`
    private Tensor embed(Tensor video) {
        int[] patch = config.patchSize().stream().mapToInt(Integer::intValue).toArray();
        var missing = new int[3];
        for (int i = 0; i < 3; i++) missing[i] = (int) ((patch[i] - video.dim(2 + i) % patch[i]) % patch[i]);
        var geometry = new Geometry(patch[0], patch[1], patch[2], 0, missing[0], 0, missing[1], 0, missing[2]);
        return patchNorm.forward(patches.forward(video, geometry).permute(0, 2, 3, 4, 1));
    }
}
