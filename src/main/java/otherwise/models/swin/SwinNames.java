package otherwise.models.swin;

import java.util.List;
import otherwise.nn.Names;

/// The names of Video Swin checkpoints: torchvision's, which are ours, and those of the original repository
/// (SwinTransformer/Video-Swin-Transformer). Shapes and values are the same.
///
///     features.2i.j      backbone.layers.i.blocks.j          mlp.0, mlp.3    mlp.fc1, mlp.fc2
///     features.2i+1      backbone.layers.i.downsample        head            cls_head.fc_cls
///
/// Everything else has the prefix `backbone.`.
public final class SwinNames {
    private static final int MOST_STAGES = 8;

    /// A table made from the sizes, which both checkpoints keep and we compute.
    private static final String COMPUTED = "features.#.#.attn.relative_position_index";

    public static final Names ORIGINAL = Names.of("original repository", "backbone.patch_embed.proj.weight", rules(), COMPUTED);

    public static final List<Names> ALL = List.of(ORIGINAL, Names.own("torchvision", "patch_embed.proj.weight", COMPUTED));

    private SwinNames() {}

    private static String rules() {
        var rules = new StringBuilder("head.* cls_head.fc_cls.*\n");
        for (int i = 0; i < MOST_STAGES; i++) {
            var stage = "features." + 2 * i + ".#";
            var blocks = "backbone.layers." + i + ".blocks.#";
            rules.append("%s.mlp.0.* %s.mlp.fc1.*%n".formatted(stage, blocks));
            rules.append("%s.mlp.3.* %s.mlp.fc2.*%n".formatted(stage, blocks));
            rules.append("%s.* %s.*%n".formatted(stage, blocks));
            rules.append("features.%d.* backbone.layers.%d.downsample.*%n".formatted(2 * i + 1, i));
        }
        return rules + "* backbone.*\n";
    }
}
