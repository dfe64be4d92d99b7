package otherwise.cli.verify;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import otherwise.models.clip.ClipConfig;
import otherwise.models.swin.SwinConfig;

/// Configurations as golden files write them, as ours.
final class Configs {
    private Configs() {}

    /// @throws IllegalArgumentException if a field is missing
    static SwinConfig swin(JsonNode config) {
        return new SwinConfig(
                numbers(config, "patch_size"),
                config.required("embed_dim").asInt(),
                numbers(config, "depths"),
                numbers(config, "num_heads"),
                numbers(config, "window_size"),
                config.path("mlp_ratio").asDouble(4),
                config.path("num_classes").asInt(400),
                config.path("norm_eps").asDouble(1e-5));
    }

    /// @throws IllegalArgumentException if a field is missing, or asks for what our encoder has not
    static ClipConfig clip(JsonNode config) {
        if (config.path("post_norm").asBoolean()) throw new IllegalArgumentException("no CLIP with post_norm is known here");
        return new ClipConfig(
                config.required("image_size").asInt(),
                config.required("patch_size").asInt(),
                config.required("dim").asInt(),
                config.path("mlp_ratio").asDouble(4),
                config.required("num_heads").asInt(),
                config.required("num_layers").asInt(),
                config.path("pre_norm").asBoolean(true),
                switch (config.path("activation").asText("gelu")) {
                    case "gelu" -> ClipConfig.Activation.GELU;
                    case "quick_gelu" -> ClipConfig.Activation.QUICK_GELU;
                    default -> throw new IllegalArgumentException("no CLIP activation is called " + config.path("activation"));
                },
                config.path("norm_eps").asDouble(1e-5));
    }

    static List<Integer> numbers(JsonNode config, String field) {
        var numbers = new ArrayList<Integer>();
        config.required(field).forEach(n -> numbers.add(n.asInt()));
        return numbers;
    }
}
