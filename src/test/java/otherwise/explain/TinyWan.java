package otherwise.explain;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import otherwise.backend.Backend;
import otherwise.io.SafetensorsWriter;
import otherwise.models.clip.ClipVision;
import otherwise.models.umt5.Umt5Config;
import otherwise.models.umt5.Umt5Encoder;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanConfig;
import otherwise.models.wan.WanTransformer;
import otherwise.models.wan.WanVae;
import otherwise.tensor.Tensor;

/// A folder as one downloads it, with small random networks in it.
///
/// @param dit tensors by name; `vae` and `clip` likewise
public record TinyWan(Map<String, Tensor> dit, Map<String, Tensor> vae, Map<String, Tensor> clip) {
    /// One head of 128 channels, as the shapes alone must tell.
    static final WanConfig DIT =
            new WanConfig("i2v", List.of(1, 2, 2), 512, 36, 128, 64, 16, 8, 16, 1, 2, true, true, 1e-6, TinyModels.CLIP.dim());

    /// For the tokenizer below `src/test/resources`.
    private static final Umt5Config TEXT = new Umt5Config(380, DIT.textDim(), 8, 20, 2, 2, 32, false);

    private static final Path TOKENIZER = Path.of("src/test/resources/tokenizer/tiny.json");

    /// Networks whose tensors lie in the innermost scope.
    public static TinyWan of(Backend backend) {
        return new TinyWan(
                TinyModels.weights(backend, 1, w -> WanTransformer.load(w, DIT)),
                TinyModels.weights(backend, 2, w -> WanVae.load(w, TinyModels.VAE, LatentScale.wan2_1())),
                TinyModels.weights(backend, 3, w -> ClipVision.load(w, TinyModels.CLIP)));
    }

    /// Everything but the text encoder.
    public void write(Path folder) throws IOException {
        write(folder.resolve("transformer/model.safetensors"), dit, Map.of());
        write(folder.resolve("vae.safetensors"), vae, Map.of("config", ModelFiles.JSON.writeValueAsString(TinyModels.VAE)));
        write(folder.resolve("image_encoder/model.safetensors"), clip,
                Map.of("config", ModelFiles.JSON.writeValueAsString(TinyModels.CLIP)));
    }

    /// Text encoder and tokenizer.
    public static void writeText(Path folder, Backend backend) throws IOException {
        write(folder.resolve("umt5.safetensors"), TinyModels.weights(backend, 4, w -> Umt5Encoder.load(w, TEXT)), Map.of());
        Files.copy(TOKENIZER, folder.resolve("tokenizer.json"));
    }

    static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) throws IOException {
        var writer = new SafetensorsWriter();
        metadata.forEach(writer::metadata);
        tensors.forEach((tensor, x) -> writer.add(tensor, "F32", x.shape().dims(), x.floats()));
        Files.createDirectories(file.getParent());
        writer.write(file);
    }
}
