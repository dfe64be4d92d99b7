package otherwise.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.backend.Shape;
import otherwise.explain.PromptEmbedding;
import otherwise.explain.TokenizerFile;
import otherwise.io.InvalidFileException;
import otherwise.io.SafetensorsWriter;
import otherwise.io.Sha256;
import otherwise.io.TensorFile;
import otherwise.io.WeightFile;
import otherwise.models.umt5.Umt5Config;
import otherwise.models.umt5.Umt5Encoder;
import otherwise.nn.Inventory;
import otherwise.nn.Weights;
import otherwise.support.Close;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// `otherwise prompt` on an encoder of a few numbers.
class EncodePromptTest {
    private static final Backend CPU = Backends.open("cpu", 1);
    private static final Path TOKENIZERS = Path.of("src/test/resources/tokenizer");
    private static final Umt5Config CONFIG = new Umt5Config(380, 12, 8, 20, 2, 3, 32, false);

    @TempDir
    private Path folder;

    private Path encoder;
    private Path out;

    @AfterAll
    static void close() {
        CPU.close();
    }

    @BeforeEach
    void writeEncoder() throws IOException {
        encoder = folder.resolve("encoder.safetensors");
        out = folder.resolve("prompt.safetensors");
        write(CONFIG);
    }

    private void write(Umt5Config config) throws IOException {
        var random = Random.philox(8, 0);
        var writer = new SafetensorsWriter();
        Inventory.of(w -> Umt5Encoder.load(w, config)).forEach((name, shape) -> writer.add(
                name, "BF16", shape.dims(), random.normal(Math.toIntExact(shape.size()))));
        writer.write(encoder);
    }

    private int prompt(String tokenizer, String... more) {
        var args = new ArrayList<>(List.of(
                "prompt", "--encoder", encoder.toString(), "--tokenizer", TOKENIZERS.resolve(tokenizer).toString(), "--out", out.toString(),
                "--threads", "1"));
        args.addAll(List.of(more));
        return Otherwise.run(args.toArray(String[]::new));
    }

    /// What the whole encoder makes of the ids, padded to a length as the official code does it, and cut.
    private double[] whole(long[] ids, int padded) throws IOException {
        try (var file = TensorFile.open(encoder)) {
            var tensors = new TreeMap<String, Tensor>();
            for (var name : file.names()) tensors.put(name, WeightFile.upload(file, name, CPU));
            var all = new long[padded];
            for (int i = 0; i < ids.length; i++) all[i] = ids[i];
            var rows = Umt5Encoder.load(Weights.of(tensors), CONFIG)
                    .forward(Tensor.indices(CPU, all, 1, padded), new long[] {ids.length});
            return rows.slice(1, 0, ids.length).doubles();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"tiny.model", "tiny.json"})
    void thePromptIsInTheFile(String tokenizer) throws IOException {
        assertEquals(ExitCode.DONE, prompt(tokenizer, "a  red &amp;", "ball"));
        var ids = TokenizerFile.open(TOKENIZERS.resolve(tokenizer)).encode("a red & ball");
        try (var _ = CPU.scope()) {
            var read = PromptEmbedding.read(out, CPU);
            assertEquals("a  red &amp; ball", read.prompt());
            assertArrayEquals(ids, read.ids());
            assertEquals(Sha256.of(encoder), read.encoder());
            assertEquals("f32[" + ids.length + ", 12]", read.context().toString().toLowerCase(Locale.ROOT));
            Close.check("context", read.context().doubles(), whole(ids, 40), 1e-5);
        }
        assertEquals(ExitCode.WRONG_INPUT, prompt(tokenizer, "another"), "a file is not overwritten");
        assertEquals(ExitCode.DONE, prompt(tokenizer, "--force", "--length", "3", "a red ball moves"));
        try (var _ = CPU.scope()) {
            assertEquals(1, PromptEmbedding.read(out, CPU).ids()[2], "a text that is cut keeps its end");
        }
    }

    @Test
    void whatDoesNotFitIsSaid() throws IOException {
        assertEquals(ExitCode.WRONG_INPUT, Otherwise.run("prompt", "--out", out.toString(), "a ball"));
        encoder = folder.resolve("absent");
        assertEquals(ExitCode.WRONG_INPUT, prompt("tiny.json", "a ball"));
        encoder = folder.resolve("small.safetensors");
        write(new Umt5Config(100, 12, 8, 20, 2, 1, 32, false));
        says("do not belong together", "tiny.json");
        new SafetensorsWriter().add("x", "F32", new long[] {1}, new float[] {1}).write(encoder);
        says("there is no tensor token_embedding.weight", "tiny.model");
        var noTokenizer = assertThrows(InvalidFileException.class, () -> TokenizerFile.open(encoder));
        assertTrue(noTokenizer.getMessage().startsWith(encoder + ": no sound SentencePiece model"), noTokenizer.getMessage());
        var noPrompt = assertThrows(InvalidFileException.class, () -> PromptEmbedding.read(encoder, CPU));
        assertTrue(noPrompt.getMessage().contains("not an encoded prompt"), noPrompt.getMessage());
        assertFalse(Files.exists(out));
    }

    private void says(String what, String tokenizer) throws IOException {
        assertEquals(ExitCode.WRONG_INPUT, prompt(tokenizer, "a ball"));
        var ids = TokenizerFile.open(TOKENIZERS.resolve(tokenizer));
        var refused = assertThrows(
                InvalidFileException.class, () -> PromptEmbedding.encode("a ball", ids, 512, encoder, CPU, (done, all) -> {}));
        assertTrue(refused.getMessage().contains(what), refused.getMessage());
    }

    /// Memory at its peak is that of the largest block, not of all of them, nor of the table of tokens.
    @Test
    void oneBlockIsInMemoryAtATime() throws IOException {
        var config = new Umt5Config(20_000, 64, 64, 256, 2, 12, 32, false);
        write(config);
        try (var backend = Backends.open("cpu", 1);
                var _ = backend.scope()) {
            var tokenizer = TokenizerFile.open(TOKENIZERS.resolve("tiny.json"));
            PromptEmbedding.encode("a red ball", tokenizer, 512, encoder, backend, (done, all) -> {});
            long block = 4 * Inventory.elements(Map.of("block", Shape.of(4 * 64 * 64 + 3 * 64 * 256)));
            assertTrue(backend.memory().peak() < 1.5 * block, backend.memory() + " for a block of " + block);
        }
    }
}
