package otherwise.cli.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.backend.Backends;
import otherwise.backend.Shape;
import otherwise.cli.ExitCode;
import otherwise.cli.Otherwise;
import otherwise.explain.Blueprint;
import otherwise.explain.TinyModels;
import otherwise.io.SafetensorsWriter;
import otherwise.io.Sha256;
import otherwise.io.TensorFile;
import otherwise.models.clip.ClipNames;
import otherwise.models.swin.SwinConfig;
import otherwise.models.swin.SwinNames;
import otherwise.models.swin.VideoSwin;
import otherwise.nn.Inventory;
import otherwise.support.FileServer;

/// `otherwise weights list|get|check|convert`, from arguments to exit code and what is printed.
class WeightsVerbTest {

    @TempDir
    Path folder;

    private record Said(int code, String out, String err) {}

    private static Said weights(String... args) {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        var before = System.out;
        var errors = System.err;
        try {
            System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
            var all = new String[args.length + 1];
            all[0] = "weights";
            System.arraycopy(args, 0, all, 1, args.length);
            return new Said(Otherwise.run(all), out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
        } finally {
            System.setOut(before);
            System.setErr(errors);
        }
    }

    // ---- the catalogue ---------------------------------------------------------------------------------------------------------------

    /// Every model that it names is one that we know, every naming one of that model's, and sizes and hashes are what they look like.
    @Test
    void theCatalogueFitsTheModels() throws IOException {
        var known = Blueprint.published().stream().collect(Collectors.toMap(Blueprint::name, b -> b));
        for (var checkpoint : Catalogue.read(Path.of("weights/catalogue.json")).checkpoints()) {
            var name = checkpoint.name();
            assertTrue(checkpoint.source().startsWith("https://") && checkpoint.base().startsWith("https://"), name);
            var blueprint = known.get(checkpoint.model());
            if (blueprint == null) {
                assertTrue(Set.of("", "umt5-xxl").contains(checkpoint.model()), name + ": " + checkpoint.model());
                continue;
            }
            var namings = blueprint.parts().getFirst().known().stream().map(n -> n.title()).collect(Collectors.toSet());
            assertTrue(namings.contains(checkpoint.names()), name + ": " + checkpoint.names() + " is none of " + namings);
            // Stored in float32 or float16, and nothing else but a header (and, for CLIP, a text encoder).
            long elements = blueprint.expected().values().stream().mapToLong(Shape::size).sum();
            if (checkpoint.size() > 0) assertTrue(checkpoint.size() > 2 * elements && checkpoint.size() < 8 * elements, name);
        }
    }

    @Test
    void aWrongCatalogueIsOneLine() throws IOException {
        assertWrong("{\"checkpoints\": [{\"name\": \"a\"}]}", "'files'");
        assertWrong("{\"checkpoints\": [", "not sound JSON");
        assertWrong(entry("a", "https://x/", "{\"path\": \"../../etc/passwd\"}"), "is no path of a file");
        assertWrong(entry("..", "https://x/", "{\"path\": \"a\"}"), "no name for a folder");
        assertWrong(entry("a", "file:///", "{\"path\": \"a\"}"), "cannot fetch from file:///");
        assertWrong(entry("a", "https://x/", "{\"path\": \"a\", \"sha256\": \"12\"}"), "is no sha256");
        assertEquals(ExitCode.WRONG_INPUT, weights("list", "--catalogue", folder.resolve("absent").toString()).code);
    }

    private void assertWrong(String json, String message) throws IOException {
        var file = Files.writeString(folder.resolve("wrong.json"), json);
        var found = assertThrows(IOException.class, () -> Catalogue.read(file)).getMessage();
        assertTrue(found.startsWith(file + ": ") && found.contains(message), found);
    }

    private static String entry(String name, String base, String... files) {
        return "{\"checkpoints\": [{\"name\": \"" + name + "\", \"what\": \"a test\", \"licence\": \"none\", \"base\": \"" + base
                + "\", \"files\": [" + String.join(",", files) + "]}]}";
    }

    @Test
    void gettingListingAndGoingOn() throws IOException {
        var content = "nothing but a test ".repeat(10_000).getBytes(StandardCharsets.UTF_8);
        try (var server = new FileServer()) {
            server.files.put("/sub/a.bin", content);
            server.files.put("/b.json", "{}".getBytes(StandardCharsets.UTF_8));
            var catalogue = Files.writeString(folder.resolve("c.json"), entry("tiny", server.uri("/").toString(),
                    "{\"path\": \"sub/a.bin\", \"size\": " + content.length + ", \"sha256\": \"" + Sha256.of(content) + "\"}",
                    "{\"path\": \"b.json\"}"));
            var here = new String[] {"--catalogue", catalogue.toString(), "--out", folder.resolve("here").toString()};
            assertTrue(list(here).contains(" no"), list(here));

            server.cutAfter = content.length / 2;
            var cut = weights("get", "tiny", here[0], here[1], here[2], here[3]);
            assertEquals(ExitCode.WRONG_INPUT, cut.code);
            assertTrue(cut.err.contains("the next call goes on from there"), cut.err);
            // half was sent; what of it comes before the cut is chance
            assertTrue(list(here).matches("(?s).* [1-4]?\\d %.*|.* 50 %.*"), list(here));

            var got = weights("get", "tiny", here[0], here[1], here[2], here[3]);
            assertEquals(ExitCode.DONE, got.code, got.err);
            assertTrue(got.out.contains("a.bin: fetched, 190,000 bytes, sha256 right"), got.out);
            assertTrue(got.out.contains("b.json: fetched, 2 bytes, sha256 not known"), got.out);
            assertArrayEquals(content, Files.readAllBytes(folder.resolve("here/tiny/sub/a.bin")));
            assertTrue(list(here).contains("yes"), list(here));
            assertEquals(3, server.ranges.size());

            assertTrue(weights("get", "tin", here[0], here[1], here[2], here[3]).err.contains("there are tiny"));
        }
    }

    private static String list(String... options) {
        return weights("list", options[0], options[1], options[2], options[3]).out;
    }

    // ---- check and convert -----------------------------------------------------------------------------------------------------------

    @Test
    void modelFilesOfOursFitTheirOwnMetadata() throws IOException {
        try (var backend = Backends.open("cpu", 1)) {
            TinyModels.write(folder, backend);
        }
        for (var name : List.of("classifier", "vae", "generator")) {
            var said = weights("check", folder.resolve(name + ".safetensors").toString());
            assertEquals(ExitCode.DONE, said.code, said.out);
            assertTrue(said.out.contains("that its metadata describes"), said.out);
        }
        var said = weights("check", folder.resolve("vae.safetensors").toString(), "--as", "wan-vae");
        assertEquals(ExitCode.NO, said.code);
        assertTrue(said.out.contains("  decoder.conv1.bias: expected [384], the file has ["), said.out);
        assertTrue(said.out.contains("more; --all names them"), said.out);
    }

    /// Swin-T at its full size, all zeros, as a checkpoint of the original repository lays it out.
    private Map<String, long[]> swinT() {
        var shapes = new LinkedHashMap<String, long[]>();
        Inventory.of(w -> VideoSwin.load(w, SwinConfig.t())).forEach(
                (name, shape) -> shapes.put(SwinNames.ORIGINAL.origin(name).orElseThrow().names().getFirst(), shape.dims()));
        return shapes;
    }

    private Path write(String prefix, Map<String, long[]> shapes) throws IOException {
        var writer = new SafetensorsWriter();
        shapes.forEach((name, shape) -> writer.add(prefix + name, "F16", shape, new float[Math.toIntExact(Shape.of(shape).size())]));
        var path = folder.resolve("swin.safetensors");
        writer.write(path);
        return path;
    }

    @Test
    void theModelIsGuessedFromTheNames() throws IOException {
        var shapes = swinT();
        shapes.put("backbone.layers.0.blocks.0.attn.relative_position_index", new long[] {392, 392});
        var said = weights("check", write("state_dict.", shapes).toString());
        assertEquals(ExitCode.DONE, said.code, said.out);
        assertTrue(said.out.contains("as swin3d-t (Video Swin-T for Kinetics-400), guessed: it has 100 % of the tensors"), said.out);
        assertTrue(said.out.contains("names: original repository"), said.out);
        assertTrue(said.out.contains("tensors: 173 of 173 fit, 28,158,070 elements, 173 F16"), said.out);
        assertTrue(said.out.contains("not needed: 1"), said.out);
    }

    /// Every tensor of Swin-T is in Swin-S too, but not the other way round.
    @Test
    void aLargerModelIsNotTakenForASmallerOne() throws IOException {
        var shapes = new LinkedHashMap<String, long[]>();
        Inventory.of(w -> VideoSwin.load(w, SwinConfig.s())).forEach((name, shape) -> shapes.put(name, shape.dims()));
        shapes.remove("norm.bias");
        var said = weights("check", write("", shapes).toString());
        assertEquals(ExitCode.NO, said.code);
        assertTrue(said.out.contains("as swin3d-s"), said.out);
        assertTrue(said.out.contains("missing: 1\n  norm.bias [768]"), said.out);
    }

    @Test
    void eachSortOfDifferenceIsNamed() throws IOException {
        var shapes = swinT();
        shapes.remove("backbone.norm.bias");
        shapes.put("cls_head.fc_cls.bias", new long[] {174});
        shapes.put("backbone.more.weight", new long[] {2, 3});
        var said = weights("check", write("", shapes).toString(), "--as", "swin3d-t");
        assertEquals(ExitCode.NO, said.code);
        assertTrue(said.out.contains("missing: 1\n  norm.bias [768]"), said.out);
        assertTrue(said.out.contains("of another shape: 1\n  head.bias: expected [400], the file has [174]"), said.out);
        assertTrue(said.out.contains("unexpected: 1\n  backbone.more.weight [2, 3]"), said.out);
        assertTrue(said.out.contains("does not fit swin3d-t"), said.out);
        assertTrue(weights("check", folder.resolve("swin.safetensors").toString(), "--as", "swin").err.contains("there are wan-i2v-14b"));
    }

    @Test
    void aStrangerIsNotGuessed() throws IOException {
        var path = write("", Map.of("some.weight", new long[] {3}));
        var said = weights("check", path.toString());
        assertEquals(ExitCode.WRONG_INPUT, said.code);
        assertTrue(said.err.contains("no tensor in common"), said.err);
    }

    @Test
    void convertingToOurNames() throws IOException {
        var path = write("state_dict.", swinT());
        var out = folder.resolve("ours.safetensors");
        assertEquals(ExitCode.DONE, weights("convert", path.toString(), out.toString(), "--our-names").code);
        try (var file = TensorFile.open(out)) {
            assertEquals(Inventory.of(w -> VideoSwin.load(w, SwinConfig.t())).keySet(), new TreeSet<>(file.names()));
        }
        assertTrue(weights("check", out.toString()).out.contains("names: torchvision"));
        var stranger = write("", Map.of("some.weight", new long[] {3}));
        var said = weights("convert", stranger.toString(), folder.resolve("x.safetensors").toString(), "--our-names");
        assertEquals(ExitCode.WRONG_INPUT, said.code);
        assertFalse(Files.exists(folder.resolve("x.safetensors")));
    }

    /// Queries, keys and values of transformers' files are three tensors, and one of ours.
    @Test
    void joinedTensorsAreCheckedTogether() throws IOException {
        var shapes = new LinkedHashMap<String, long[]>();
        shapes.put("vision_model.embeddings.class_embedding", new long[] {1280});
        for (var kind : List.of("q", "k", "v"))
            shapes.put("vision_model.encoder.layers.0.self_attn." + kind + "_proj.bias", new long[] {1280});
        shapes.put("vision_model.encoder.layers.1.self_attn.q_proj.bias", new long[] {1280});
        shapes.put("vision_model.encoder.layers.1.self_attn.k_proj.bias", new long[] {1280});
        shapes.put("vision_model.encoder.layers.1.self_attn.v_proj.bias", new long[] {1});
        var said = weights("check", write("", shapes).toString(), "--as", "clip-vit-h-14");
        assertEquals(ExitCode.NO, said.code);
        assertTrue(said.out.contains("names: " + ClipNames.ALL.getFirst().title()), said.out);
        assertTrue(said.out.contains("tensors: 2 of "), said.out);
        assertTrue(said.out.contains("  transformer.1.attn.to_qkv.bias: expected [3840], the file has [2561]"), said.out);
        assertFalse(said.out.contains("unexpected"), said.out);
    }
}
