package otherwise.explain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.autograd.Activations;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.io.SafetensorsWriter;
import otherwise.io.TensorFile;
import otherwise.models.clip.ClipNames;
import otherwise.models.swin.SwinNames;
import otherwise.models.wan.WanNames;
import otherwise.nn.Names;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// The same weights under other libraries' names are the same network, bit for bit.
class ForeignNamesTest {
    private static final Backend BACKEND = Backends.open("cpu", 1);

    @TempDir
    Path ours;

    @TempDir
    Path theirs;

    @AfterAll
    static void close() {
        BACKEND.close();
    }

    /// Copies a file, the tensors below `folder` under the names of `names`, everything else as it is.
    private static void rename(Path from, Path to, String folder, Names names, String prefix) throws IOException {
        try (var file = TensorFile.open(from)) {
            var writer = new SafetensorsWriter().metadata(file.metadata());
            for (var name : file.names()) {
                var values = file.floats(name);
                var shape = file.entry(name).shape();
                var origin = name.startsWith(folder) ? names.origin(name.substring(folder.length())).orElse(null) : null;
                if (origin == null || name.startsWith("latents_") || name.equals("prompt")) {
                    writer.add(name, "F32", shape, values);
                    continue;
                }
                shape = Arrays.copyOfRange(shape, origin.leading(), shape.length);
                int pieces = origin.names().size();
                int size = values.length / pieces;
                shape[0] /= pieces;
                for (int i = 0; i < pieces; i++) {
                    var piece = Arrays.copyOfRange(values, i * size, (i + 1) * size);
                    writer.add(folder + prefix + origin.names().get(i), "F32", shape, piece);
                }
            }
            // What others' files have besides.
            if (names.title().equals("transformers")) {
                writer.add(folder + "vision_model.embeddings.position_ids", "I64", new long[] {1}, new long[1]);
            }
            if (folder.isEmpty() && names.equals(SwinNames.ORIGINAL)) {
                writer.add(prefix + "backbone.layers.0.blocks.0.attn.relative_position_index", "I64", new long[] {1}, new long[1]);
            }
            writer.write(to);
        }
    }

    @Test
    void theClassifierInTheOriginalRepositorysNames() throws IOException {
        try (var _ = BACKEND.scope()) {
            var files = TinyModels.write(ours, BACKEND);
            rename(files.classifier(), new ModelFiles(theirs).classifier(), "", SwinNames.ORIGINAL, "state_dict.");
            var video = Random.philox(7, 0).normal(BACKEND, 1, 3, 5, 32, 32);
            var expected = Models.classifier(files, BACKEND).logits(video, 0).floats();
            assertArrayEquals(expected, Models.classifier(new ModelFiles(theirs), BACKEND).logits(video, 0).floats());
        }
    }

    @Test
    void theGeneratorInTheNamesOfDiffusersAndTransformers() throws IOException {
        try (var _ = BACKEND.scope()) {
            var files = TinyModels.write(ours, BACKEND);
            var others = new ModelFiles(theirs);
            rename(files.vae(), others.vae(), "", WanNames.vae(TinyModels.VAE.numResBlocks()).getFirst(), "");
            rename(files.generator(), theirs.resolve("half.safetensors"), "dit.", WanNames.TRANSFORMER.getFirst(), "");
            rename(theirs.resolve("half.safetensors"), others.generator(), "clip.", ClipNames.ALL.getFirst(), "");
            same(files, others);
        }
    }

    @Test
    void theImageEncoderBesideATextEncoder() throws IOException {
        try (var _ = BACKEND.scope()) {
            var files = TinyModels.write(ours, BACKEND);
            var others = new ModelFiles(theirs);
            Files.copy(files.vae(), others.vae());
            rename(files.generator(), others.generator(), "clip.", ClipNames.ALL.get(1), "");
            same(files, others);
        }
    }

    private static void same(ModelFiles a, ModelFiles b) throws IOException {
        var frame = Random.philox(5, 0).normal(BACKEND, 1, 3, 1, 32, 32);
        var first = Models.generator(a, BACKEND);
        var second = Models.generator(b, BACKEND);
        var z = Random.philox(6, 0).normal(BACKEND, first.latent().dims());
        assertArrayEquals(velocity(first, frame, z), velocity(second, frame, z));
        assertArrayEquals(first.decode(z, Activations.KEEP).floats(), second.decode(z, Activations.KEEP).floats());
    }

    private static float[] velocity(WanGenerator generator, Tensor frame, Tensor z) {
        return generator.condition(frame, 1, Activations.KEEP).at(z, 500).floats();
    }

    /// As they come from elsewhere: each network in a file of its own that says nothing of itself, and a description beside them.
    @Test
    void checkpointsThatAreOnlyDescribed() throws IOException {
        try (var _ = BACKEND.scope()) {
            var files = TinyModels.write(ours, BACKEND);
            var others = new ModelFiles(theirs);
            var downloaded = Files.createDirectory(theirs.resolve("downloaded"));
            rename(files.vae(), downloaded.resolve("vae.safetensors"), "", WanNames.vae(TinyModels.VAE.numResBlocks()).getFirst(), "");
            rename(files.generator(), theirs.resolve("half"), "dit.", WanNames.TRANSFORMER.getFirst(), "");
            rename(theirs.resolve("half"), theirs.resolve("both"), "clip.", ClipNames.ALL.getFirst(), "");
            for (var part : List.of("dit.", "clip.", "prompt")) extract(theirs.resolve("both"), part, downloaded);
            describe(files.vae(), theirs.resolve("vae.json"), "\"\": \"downloaded/vae.safetensors\"");
            describe(files.generator(), theirs.resolve("generator.json"),
                    "\"dit.\": \"downloaded/dit.safetensors\", \"clip.\": \"downloaded/clip.safetensors\", \"\": \"downloaded/prompt.safetensors\"");
            same(files, others);
            var blueprint = Blueprint.stated(TensorFile.open(others.generator())).orElseThrow();
            assertEquals("wan-i2v", blueprint.name());

            Files.delete(downloaded.resolve("clip.safetensors"));
            var e = assertThrows(IOException.class, () -> Models.generator(others, BACKEND));
            assertTrue(e.getMessage().endsWith("clip.safetensors: no such file"), e.getMessage());
        }
    }

    /// A file of the tensors whose names begin with `part`, without it, and without metadata.
    private static void extract(Path from, String part, Path to) throws IOException {
        try (var file = TensorFile.open(from)) {
            var writer = new SafetensorsWriter();
            for (var name : file.names()) {
                var end = part.endsWith(".") ? name.substring(Math.min(name.length(), part.length())) : name;
                if (name.startsWith(part)) writer.addRaw(end, file.entry(name).dtype(), file.entry(name).shape(), file.segment(name));
            }
            writer.write(to.resolve(part.replace(".", "") + ".safetensors"));
        }
    }

    private static void describe(Path from, Path to, String tensors) throws IOException {
        var text = new StringBuilder("{");
        try (var file = TensorFile.open(from)) {
            file.metadata().forEach((key, value) -> {
                // Objects and numbers stand in the description as what they are.
                boolean json = value.startsWith("{") || value.startsWith("[") || value.matches("[0-9.]+");
                text.append("\"%s\": %s, ".formatted(key, json ? value : "\"" + value + "\""));
            });
        }
        Files.writeString(to, text + "\"tensors\": {" + tensors + "}}");
    }

    @Test
    void whatIsMissingOrTooMuchIsStillFound() throws IOException {
        try (var _ = BACKEND.scope()) {
            var files = TinyModels.write(ours, BACKEND);
            var others = new ModelFiles(theirs);
            Files.copy(files.vae(), others.vae());
            rename(files.generator(), others.generator(), "clip.", ClipNames.ALL.getFirst(), "");
            // A piece of the three that make queries, keys and values is gone: the other two belong to nothing.
            edit(others.generator(), "clip.vision_model.encoder.layers.1.self_attn.k_proj.bias", false);
            var e = assertThrows(IOException.class, () -> Models.generator(others, BACKEND));
            assertTrue(e.getMessage().contains("transformer.1.attn.to_qkv.bias: the weights have no such tensor"), e.getMessage());

            rename(files.generator(), others.generator(), "clip.", ClipNames.ALL.getFirst(), "");
            edit(others.generator(), "clip.vision_model.encoder.layers.7.mlp.fc1.bias", true);
            e = assertThrows(IOException.class, () -> Models.generator(others, BACKEND));
            assertTrue(e.getMessage().contains("the first is clip.vision_model.encoder.layers.7.mlp.fc1.bias"), e.getMessage());
        }
    }

    private static void edit(Path path, String tensor, boolean add) throws IOException {
        var copy = path.resolveSibling("edited.safetensors");
        try (var file = TensorFile.open(path)) {
            var writer = new SafetensorsWriter().metadata(file.metadata());
            for (var name : file.names()) if (!name.equals(tensor)) writer.add(file, name, file.entry(name).dtype());
            if (add) writer.add(tensor, "F32", new long[] {1}, new float[1]);
            writer.write(copy);
        }
        Files.move(copy, path, StandardCopyOption.REPLACE_EXISTING);
    }

    @Test
    void transposedAndJoinedTensorsArePutTogether() throws IOException {
        var names = Names.of("theirs", "a.0", "ab a.0 b.0\nturned t T\nframed f +2");
        var path = ours.resolve("x.safetensors");
        new SafetensorsWriter().add("a.0", "F32", new long[] {1, 2}, new float[] {1, 2})
                .add("b.0", "F32", new long[] {2, 2}, new float[] {3, 4, 5, 6})
                .add("t", "F32", new long[] {2, 3}, new float[] {1, 2, 3, 4, 5, 6})
                .add("f", "F32", new long[] {2}, new float[] {7, 8})
                .add("rest", "F32", new long[] {}, new float[] {9})
                .write(path);
        try (var file = NamedFile.of(TensorFile.open(path), List.of(names))) {
            assertEquals(List.of("ab", "turned", "framed", "rest"), file.names());
            assertArrayEquals(new long[] {3, 2}, file.entry("ab").shape());
            assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, file.floats("ab"));
            assertArrayEquals(new long[] {3, 2}, file.entry("turned").shape());
            assertArrayEquals(new float[] {1, 4, 2, 5, 3, 6}, file.floats("turned"));
            assertArrayEquals(new long[] {1, 1, 2}, file.entry("framed").shape());
            assertEquals(List.of("a.0", "b.0"), file.stored("ab"));
            assertEquals("theirs", file.naming().orElseThrow().title());
        }
    }
}
