package otherwise.models.umt5;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The same ids as the libraries to which the files belong.
class TokenizerTest {
    private static final Path TINY = Path.of("src/test/resources/tokenizer");
    private static final Path REAL = Path.of("../shared/real/tokenizer");

    private static Tokenizer tiny(String file) throws IOException {
        return Tokenizer.of(Files.readAllBytes(TINY.resolve(file)));
    }

    private static long[] ids(JsonNode json) {
        var ids = new long[json.size()];
        for (int i = 0; i < ids.length; i++) ids[i] = json.get(i).asLong();
        return ids;
    }

    /// Bytes for unknown characters, user-defined symbols, added tokens, replacements, spaces of all kinds.
    @ParameterizedTest
    @CsvSource({"tiny.model,spiece", "tiny.json,json"})
    void cutsAsTheLibraryDoes(String file, String library) throws IOException {
        var tokenizer = tiny(file);
        for (var line : new JsonMapper().readTree(TINY.resolve("reference.json").toFile())) {
            var text = line.path("text").asText();
            assertArrayEquals(ids(line.path(library)), tokenizer.encode(text), text);
        }
    }

    /// T5's own files, with the whole of SentencePiece's NFKC table.
    @ParameterizedTest
    @ValueSource(strings = {"t5_spiece.model", "t5_tokenizer.json"})
    void cutsAsT5Does(String file) throws IOException {
        assumeTrue(Files.exists(REAL.resolve(file)), "T5's tokenizer is not here");
        var tokenizer = Tokenizer.of(Files.readAllBytes(REAL.resolve(file)));
        var reference = new JsonMapper().readTree(REAL.resolve("t5_reference_ids.json").toFile());
        assertFalse(reference.isEmpty());
        for (var line : reference.properties()) {
            var expected = ids(line.getValue().path("ids"));
            var ours = tokenizer.encode(line.getKey());
            assertEquals(1, ours[ours.length - 1], "the end");
            assertArrayEquals(expected, Arrays.copyOf(ours, ours.length - 1), line.getKey());
            // A piece that is unknown has no text of its own.
            for (int i = 0; i < expected.length; i++) {
                if (expected[i] != 2) assertEquals(line.getValue().path("pieces").get(i).asText(), tokenizer.piece(expected[i]));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"tiny.model", "tiny.json"})
    void aLongTextKeepsItsEnd(String file) throws IOException {
        var tokenizer = tiny(file);
        var whole = tokenizer.encode("a red ball slides to the left");
        assertEquals(9, whole.length);
        var cut = tokenizer.encode("a red ball slides to the left", 5);
        assertArrayEquals(new long[] {whole[0], whole[1], whole[2], whole[3], 1}, cut);
        assertArrayEquals(whole, tokenizer.encode("a red ball slides to the left", 9));
        assertThrows(IllegalArgumentException.class, () -> tokenizer.encode("a", 0));
    }

    /// Half a character is no text, and no reason to fail.
    @Test
    void halfCharactersAreReplaced() throws IOException {
        for (var file : new String[] {"tiny.model", "tiny.json"}) {
            var tokenizer = tiny(file);
            assertArrayEquals(tokenizer.encode("a \uFFFD b"), tokenizer.encode("a \uD83D b"));
        }
    }

    /// A damaged file is refused, or read as what it now says; nothing else happens.
    @ParameterizedTest
    @ValueSource(strings = {"tiny.model", "tiny.json"})
    void damageIsSaid(String file) throws IOException {
        var sound = Files.readAllBytes(TINY.resolve(file));
        var random = new Random(1);
        int refused = 0;
        for (int i = 0; i < 3000; i++) {
            byte[] bytes = random.nextInt(4) == 0 ? Arrays.copyOf(sound, random.nextInt(sound.length)) : sound.clone();
            for (int n = random.nextInt(3); n >= 0 && bytes.length > 0; n--) bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            try {
                Tokenizer.of(bytes).encode("a red ﬁsh \t 日本 </s> x");
            } catch (IllegalArgumentException e) {
                assertFalse(e.getMessage().isBlank());
                refused++;
            }
        }
        assertTrue(refused > 100, "only " + refused + " were refused");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|',
            textBlock = """
                    ''                                                                | it has no pieces
                    {                                                                 | not sound JSON
                    {"model": {"type": "BPE"}}                                        | only Unigram is known
                    {"model": {"type": "Unigram", "vocab": [["a"]]}}                  | vocab entry 0 is no piece
                    {"model": {"type": "Unigram", "vocab": [["a", 0]]}}               | without an unknown piece
                    {"model": {"type": "Unigram", "vocab": [["a", 0]], "unk_id": 0}, "normalizer": {"type": "X"}}    | no normalizer is called 'X'
                    {"model": {"type": "Unigram", "vocab": [["a", 0]], "unk_id": 0}, "pre_tokenizer": {"type": "X"}} | no pre_tokenizer is called 'X'
                    {"model": {"type": "Unigram", "vocab": [["a", 0]], "unk_id": 0}, "added_tokens": [{"content": "b", "id": 1e9}]} | an added token with
                    """)
    void whatIsNotKnownIsNamed(String file, String message) {
        var refused = assertThrows(IllegalArgumentException.class, () -> Tokenizer.of(file.getBytes(StandardCharsets.UTF_8)));
        assertTrue(refused.getMessage().contains(message), refused.getMessage());
    }

    /// A field that says it has four gigabytes takes none of them.
    @Test
    void lengthsAreNotBelieved() {
        var bytes = new byte[] {0x0A, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, 0x0F, 0x0A};
        var refused = assertThrows(IllegalArgumentException.class, () -> Tokenizer.of(bytes));
        assertTrue(refused.getMessage().contains("takes 4294967295 bytes, 1 are left"), refused.getMessage());
    }
}
