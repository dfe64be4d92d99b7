package otherwise.explain;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import otherwise.io.InvalidFileException;
import otherwise.io.SafetensorsWriter;
import otherwise.io.TensorFile;
import otherwise.tensor.Tensor;

/// A folder with a classifier, an autoencoder and a generator that fit together, each one safetensors file that says what it is:
///
/// | file | `kind` | tensors | further metadata |
/// |---|---|---|---|
/// | `classifier.safetensors` | `video-swin` | the network's | `config`, `classes`, `frames` and `stride` of the clip, `video` |
/// | `vae.safetensors` | `wan-vae` | the network's, `latents_mean`, `latents_std` `[z]` | `config` |
/// | `generator.safetensors` | `wan-i2v` | `dit.…`, `clip.…`, `prompt` `[S, text]` | `dit`, `clip` (their configs), `shift`, `video` |
///
/// Where one of them is missing, a JSON file of the same name may say where the tensors are ([otherwise.io.DescribedFile]), so that others'
/// checkpoints serve as they are, under whatever names we know ([NamedFile]).
///
/// `video` stands for the four entries `video_frames`, `height`, `width`, `fps`. Configs are JSON with the official snake_case names.
/// Writing is here, opening in [Models].
///
/// @param dtype how real numbers are stored: `F32`, `BF16` or `F16`
public record ModelFiles(Path folder, String dtype) {
    public static final String CLASSIFIER = "classifier.safetensors";
    public static final String VAE = "vae.safetensors";
    public static final String GENERATOR = "generator.safetensors";

    static final JsonMapper JSON = JsonMapper.builder().propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();

    /// A line of a model file's metadata that holds JSON.
    ///
    /// @throws InvalidFileException naming the file and the line, if it is missing or does not fit
    public static <T> T entry(TensorFile file, String name, Class<T> type) throws IOException {
        var value = file.metadata().get(name);
        if (value == null) throw new InvalidFileException(file.path(), "has no metadata '" + name + "'");
        ObjectReader reader = JSON.readerFor(type).without(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
        try {
            return reader.readValue(value);
        } catch (JsonProcessingException e) {
            var why = e.getOriginalMessage() == null ? e.toString() : e.getOriginalMessage();
            throw new InvalidFileException(file.path(), "metadata '" + name + "': " + why.lines().findFirst().orElse(""), e);
        }
    }

    /// Stored in full precision.
    public ModelFiles(Path folder) {
        this(folder, "F32");
    }

    public Path classifier() {
        return find(CLASSIFIER);
    }

    public Path vae() {
        return find(VAE);
    }

    public Path generator() {
        return find(GENERATOR);
    }

    /// The file of this name, or the description that stands in for it.
    private Path find(String name) {
        var file = folder.resolve(name);
        var description = folder.resolve(name.replace(".safetensors", ".json"));
        return !Files.exists(file) && Files.exists(description) ? description : file;
    }

    /// Writes the classifier's file, whole or not at all.
    ///
    /// @param config the network's sizes, a record
    /// @param classes the names of the classes, in the order of the logits
    /// @param frames frames of the clip that the network sees, every `stride`-th of the video
    /// @param video the videos it was trained on
    /// @param notes further lines of metadata: how it was trained, what it reached
    public void writeClassifier(
            Record config, List<String> classes, int frames, int stride, VideoFormat video, Map<String, Tensor> weights,
            Map<String, String> notes)
            throws IOException {
        var writer = new SafetensorsWriter().metadata("kind", "video-swin")
                .metadata("config", json(config))
                .metadata("classes", json(classes))
                .metadata("frames", Integer.toString(frames))
                .metadata("stride", Integer.toString(stride));
        add(writer, "", weights);
        video(writer, video).metadata(notes).write(folder.resolve(CLASSIFIER));
    }

    /// Writes the autoencoder's file, whole or not at all.
    ///
    /// @param mean of each latent channel over the training set; `std` likewise the standard deviation
    public void writeVae(Record config, float[] mean, float[] std, Map<String, Tensor> weights, Map<String, String> notes)
            throws IOException {
        var writer = new SafetensorsWriter().metadata("kind", "wan-vae").metadata("config", json(config));
        writer.add("latents_mean", "F32", new long[] {mean.length}, mean).add("latents_std", "F32", new long[] {std.length}, std);
        add(writer, "", weights);
        writer.metadata(notes).write(folder.resolve(VAE));
    }

    /// Writes the generator's file, whole or not at all.
    ///
    /// @param dit sizes of the transformer, a record; `clip` those of the image encoder
    /// @param prompt the fixed rows of text that it was trained with, `[S, text]`
    /// @param shift of the noise schedule that it was trained with
    public void writeGenerator(
            Record dit,
            Record clip,
            Tensor prompt,
            double shift,
            VideoFormat video,
            Map<String, Tensor> ditWeights,
            Map<String, Tensor> clipWeights,
            Map<String, String> notes)
            throws IOException {
        var writer = new SafetensorsWriter().metadata("kind", "wan-i2v")
                .metadata("dit", json(dit))
                .metadata("clip", json(clip))
                .metadata("shift", Double.toString(shift));
        add(writer, "", Map.of("prompt", prompt));
        add(writer, "dit.", ditWeights);
        add(writer, "clip.", clipWeights);
        video(writer, video).metadata(notes).write(folder.resolve(GENERATOR));
    }

    private static SafetensorsWriter video(SafetensorsWriter writer, VideoFormat video) {
        return writer.metadata("video_frames", Integer.toString(video.frames()))
                .metadata("height", Integer.toString(video.height()))
                .metadata("width", Integer.toString(video.width()))
                .metadata("fps", Double.toString(video.fps()));
    }

    private void add(SafetensorsWriter writer, String prefix, Map<String, Tensor> weights) {
        weights.forEach((name, w) -> writer.add(prefix + name, dtype, w.shape().dims(), w.floats()));
    }

    private static String json(Object value) throws IOException {
        try {
            return JSON.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IOException("a configuration that cannot be written as JSON: " + value, e);
        }
    }
}
