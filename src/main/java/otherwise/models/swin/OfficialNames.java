package otherwise.models.swin;

import java.util.regex.Pattern;

/// The names of the original repository's checkpoints (SwinTransformer/Video-Swin-Transformer), where they differ from torchvision's.
///
///     features.2i.j      backbone.layers.i.blocks.j          mlp.0, mlp.3    mlp.fc1, mlp.fc2
///     features.2i+1      backbone.layers.i.downsample        head            cls_head.fc_cls
///
/// Everything else has the prefix `backbone.`; shapes and values are the same.
public final class OfficialNames {
    private static final Pattern FEATURES = Pattern.compile("features\\.(\\d+)\\.(.*)");

    private OfficialNames() {}

    /// The original repository's name of what torchvision calls `name`.
    public static String of(String name) {
        if (name.startsWith("head.")) return "cls_head.fc_cls." + name.substring("head.".length());
        var match = FEATURES.matcher(name);
        if (!match.matches()) return "backbone." + name;
        int number = Integer.parseInt(match.group(1));
        var layer = "backbone.layers." + number / 2 + (number % 2 == 0 ? ".blocks." : ".downsample.");
        return layer + match.group(2).replace(".mlp.0.", ".mlp.fc1.").replace(".mlp.3.", ".mlp.fc2.");
    }
}
