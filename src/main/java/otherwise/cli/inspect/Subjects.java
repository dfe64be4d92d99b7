package otherwise.cli.inspect;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import otherwise.explain.Blueprint;
import otherwise.explain.ModelFiles;
import otherwise.io.TensorFile;
import otherwise.models.clip.ClipConfig;
import otherwise.models.swin.SwinConfig;
import otherwise.models.umt5.Umt5Config;
import otherwise.models.wan.WanConfig;
import otherwise.models.wan.WanVaeConfig;

/// Which networks can be inspected.
final class Subjects {
    private static final Size KINETICS = new Size(32, 224, 224);

    private static final List<String> NAMES =
            List.of("wan-i2v-14b", "wan-t2v-14b", "wan-t2v-1.3b", "wan-i2v-1.3b", "wan-vae", "clip-vit-h-14",
                    "umt5-xxl",
                    "swin3d-t", "swin3d-s", "swin3d-b");

    private Subjects() {}

    /// A preset of the published models.
    ///
    /// @throws IllegalArgumentException naming all presets, if there is none of this name
    static Subject named(String name) {
        return switch (name) {
            case "wan-i2v-14b" -> Subject.transformer(WanConfig.i2v14B());
            case "wan-t2v-14b" -> Subject.transformer(WanConfig.t2v14B());
            case "wan-t2v-1.3b" -> Subject.transformer(WanConfig.t2v1_3B());
            case "wan-i2v-1.3b" -> Subject.transformer(WanConfig.i2v1_3B());
            case "wan-vae" -> Subject.vae(WanVaeConfig.wan2_1(), new Size(81, 480, 832));
            case "clip-vit-h-14" -> Subject.clip(ClipConfig.vitH14());
            case "umt5-xxl" -> Subject.umt5(Umt5Config.xxl());
            case "swin3d-t" -> Subject.swin(SwinConfig.t(), KINETICS);
            case "swin3d-s" -> Subject.swin(SwinConfig.s(), KINETICS);
            case "swin3d-b" -> Subject.swin(SwinConfig.b(), KINETICS);
            default -> throw new IllegalArgumentException(
                    name + ": neither a file nor a preset; the presets are " + String.join(", ", NAMES));
        };
    }

    /// The networks in a file of [ModelFiles], by the prefix of their tensors; none where the file does not say what it is.
    ///
    /// @throws IOException if it cannot be read, or says what makes no network
    static Map<String, Subject> of(Path path) throws IOException {
        try (var file = TensorFile.open(path)) {
            var found = new LinkedHashMap<String, Subject>();
            switch (file.metadata().getOrDefault("kind", "")) {
                case "video-swin" -> found.put("", Subject.swin(ModelFiles.entry(file, "config", SwinConfig.class), clip(file)));
                case "wan-vae" -> {
                    var config = WanVaeConfig.of(ModelFiles.entry(file, "config", JsonNode.class));
                    // The file says nothing of the videos; those of the data set are as good as any.
                    found.put("", Subject.vae(config, new Size(17, 64, 64)));
                }
                case "wan-i2v" -> {
                    var dit = WanConfig.of(ModelFiles.entry(file, "dit", JsonNode.class));
                    var clip = ModelFiles.entry(file, "clip", ClipConfig.class);
                    int tokens = 1 + clip.grid() * clip.grid();
                    found.put("dit.", Subject.transformer(dit, WanVaeConfig.wan2_1(), tokens, video(file)));
                    found.put("clip.", Subject.clip(clip));
                }
                // A checkpoint from elsewhere: if it is none that we know, its tensors can be shown all the same.
                default -> Blueprint.guess(file).filter(like -> like.share(file) > 0.9 && NAMES.contains(like.name()))
                        .ifPresent(like -> found.put("", named(like.name())));
            }
            return found;
        }
    }

    private static Size video(TensorFile file) throws IOException {
        return new Size(
                ModelFiles.entry(file, "video_frames", Integer.class),
                ModelFiles.entry(file, "height", Integer.class),
                ModelFiles.entry(file, "width", Integer.class));
    }

    /// What the classifier sees of a video.
    private static Size clip(TensorFile file) throws IOException {
        var video = video(file);
        return new Size(ModelFiles.entry(file, "frames", Integer.class), video.height(), video.width());
    }
}
