package otherwise.explain;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.BiConsumer;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.io.InvalidFileException;
import otherwise.io.Safetensors;
import otherwise.io.SafetensorsWriter;
import otherwise.io.Sha256;
import otherwise.io.TensorFile;
import otherwise.io.WeightFile;
import otherwise.models.umt5.PromptCleaning;
import otherwise.models.umt5.Tokenizer;
import otherwise.models.umt5.Umt5Config;
import otherwise.models.umt5.Umt5Encoder;
import otherwise.models.umt5.Umt5Names;
import otherwise.tensor.Tensor;

/// What a text encoder makes of a prompt, computed once: the encoder is as large as the generator, and a prompt seldom changes.
///
/// Its file is a safetensors file of the kind `wan-prompt` with one tensor, `context` `[L, dim]`, and in the metadata the `prompt`, its `ids`, and
/// the `encoder_sha256`.
///
/// @param prompt as it was written
/// @param ids of the cleaned prompt, with its end and without padding
/// @param encoder the SHA-256 of the encoder's file
/// @param context `[L, dim]`
public record PromptEmbedding(String prompt, long[] ids, String encoder, Tensor context) {
    private static final String KIND = "wan-prompt";

    /// Encodes a prompt by an encoder of any size: its weights are in memory one block at a time, and of the table of tokens only the rows
    /// that the prompt needs.
    ///
    /// @param encoder a checkpoint of umT5's, under any naming that we know
    /// @param longest how many ids are kept at most, the end included
    /// @param progress told how many of how many blocks are done
    /// @throws IOException if the encoder cannot be read, or is none
    public static PromptEmbedding encode(
            String prompt, Tokenizer tokenizer, int longest, Path encoder, Backend backend, BiConsumer<Integer, Integer> progress)
            throws IOException {
        var ids = ids(prompt, tokenizer, longest);
        try (var file = NamedFile.of(TensorFile.open(encoder), Umt5Names.ALL)) {
            var config = Umt5Config.ofShapes(name -> file.contains(name) ? Shape.of(file.entry(name).shape()) : null);
            long largest = Arrays.stream(ids).max().orElse(0);
            if (largest >= config.vocab()) {
                throw new InvalidFileException(
                        encoder, "knows " + config.vocab() + " ids, the tokenizer gives " + largest + ": they do not belong together");
            }
            var embedded = WeightFile.rows(file, "token_embedding.weight", ids, backend).reshape(1, ids.length, config.dim());
            var context = Umt5Encoder.encodeInPieces(
                    file.weights(backend), config, embedded, i -> progress.accept(i + 1, config.numLayers()));
            return new PromptEmbedding(prompt, ids, Sha256.of(encoder), context.reshape(ids.length, config.dim()));
        } catch (IllegalArgumentException e) {
            throw new InvalidFileException(encoder, String.valueOf(e.getMessage()), e);
        }
    }

    /// The ids of the cleaned prompt, as many as its context will have rows.
    ///
    /// @param longest how many are kept at most, the end included
    public static long[] ids(String prompt, Tokenizer tokenizer, int longest) {
        return tokenizer.encode(PromptCleaning.clean(prompt), longest);
    }

    /// Writes the file, whole or not at all.
    public void write(Path path) throws IOException {
        new SafetensorsWriter()
                .metadata("kind", KIND)
                .metadata("prompt", prompt)
                .metadata("ids", ModelFiles.JSON.writeValueAsString(ids))
                .metadata("encoder_sha256", encoder)
                .add("context", "F32", context.shape().dims(), context.floats())
                .write(path);
    }

    /// Reads such a file; the context goes into the innermost scope.
    ///
    /// @throws IOException if it is missing or something else
    public static PromptEmbedding read(Path path, Backend backend) throws IOException {
        try (var file = Safetensors.open(path)) {
            var metadata = file.metadata();
            if (!KIND.equals(metadata.get("kind")) || !file.contains("context") || file.entry("context").shape().length != 2) {
                throw new InvalidFileException(path,
                        "not an encoded prompt: its kind is not '" + KIND + "', or it has no matrix 'context'");
            }
            var ids = ModelFiles.JSON.readValue(metadata.getOrDefault("ids", "[]"), long[].class);
            return new PromptEmbedding(
                    metadata.getOrDefault("prompt", ""),
                    ids,
                    metadata.getOrDefault("encoder_sha256", ""),
                    WeightFile.upload(file, "context", backend));
        } catch (JsonProcessingException e) {
            throw new InvalidFileException(path, "its metadata 'ids' is no list of numbers", e);
        }
    }
}
