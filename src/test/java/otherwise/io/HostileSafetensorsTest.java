package otherwise.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Files made to harm: each ends in one line that names the file and the field.
class HostileSafetensorsTest {

    @TempDir
    Path folder;

    /// Header, bytes of data after it, and what is said about it.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock = """
                    []                                                                | 0 | not a safetensors file: the header does not begin with {
                    {                                                                 | 0 | header is not sound JSON: *
                    {} {}                                                             | 0 | header: something follows the JSON object
                    {"a":1}                                                           | 0 | header: tensor "a": expected an object, found a whole number
                    {"a":{"dtype":"F32","shape":[1]}}                                 | 4 | header: tensor "a": data_offsets is missing
                    {"a":{"dtype":"F32","data_offsets":[0,4]}}                        | 4 | header: tensor "a": shape is missing
                    {"a":{"shape":[1],"data_offsets":[0,4]}}                          | 4 | header: tensor "a": dtype is missing
                    {"a":{"dtype":32,"shape":[1],"data_offsets":[0,4]}}               | 4 | header: tensor "a": dtype: expected text, found a whole number
                    {"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}            | 4 | header: tensor "a": dtype "F33" is none of *
                    {"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}           | 4 | header: tensor "a": shape: -1 is negative
                    {"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}          | 4 | header: tensor "a": shape: expected a whole number, found a fraction
                    {"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}          | 4 | header: tensor "a": shape: expected a whole number, found a fraction
                    {"a":{"dtype":"F32","shape":{},"data_offsets":[0,4]}}             | 4 | header: tensor "a": shape: expected an array, found an object
                    {"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}}          | 4 | header: tensor "a": shape: expected a whole number, found an array
                    {"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}} | 4 | header: tensor "a": shape: a number does not fit into 64 bits
                    {"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}} | 4 | header: tensor "a": shape [4294967296, 4294967296] overflows 64 bits
                    {"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}} | 4 | header: tensor "a": shape [4611686018427387905] overflows 64 bits
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}            | 4 | header: tensor "a": F32 [2] needs 8 bytes, data_offsets [0, 4] spans 4
                    {"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}            | 4 | header: tensor "a": data_offsets [4, 0] is not [begin, end]
                    {"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}              | 4 | header: tensor "a": data_offsets [0] is not [begin, end]
                    {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}          | 8 | header: tensor "a": data_offsets: more than 2 numbers
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}            | 4 | header: tensor "a": data_offsets [0, 8] is beyond the 4 bytes of data in the file: truncated?
                    {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}            | 5 | header: 1 bytes after the last tensor belong to none
                    {"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}            | 8 | header: tensor "a": leaves a hole of 4 bytes before it
                    {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":0}}      | 4 | header: tensor "a": unknown field "x"
                    {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} | 4 | header: tensor "b": overlaps the tensor before it by 4 bytes
                    {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}} | 8 | header is not sound JSON: Duplicate field *
                    {"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}} | 4 | header is not sound JSON: Duplicate field *
                    {"__metadata__":{"n":1}}                                          | 0 | header: __metadata__ "n": expected text, found a whole number
                    {"__metadata__":"text"}                                           | 0 | header: __metadata__: expected an object, found text
                    """)
    void saysWhatIsWrongInOneLine(String header, int dataBytes, String message) throws IOException {
        var file = file(header.getBytes(StandardCharsets.UTF_8), dataBytes);
        var told = assertThrows(InvalidFileException.class, () -> Safetensors.open(file)).getMessage();
        var expected = file + ": " + message;
        if (message.endsWith("*")) {
            assertTrue(told.startsWith(expected.substring(0, expected.length() - 1)), told);
        } else {
            assertEquals(expected, told);
        }
        assertFalse(told.contains("\n"), told);
    }

    @Test
    void refusesHeaderLengthsThatCannotBe() throws IOException {
        var file = folder.resolve("x.safetensors");
        assertMessage(file, "no such file");
        assertMessage(folder, "is a folder, not a safetensors file");
        Files.write(file, new byte[7]);
        assertMessage(file, "not a safetensors file: it has 7 bytes, too few for the header length");
        Files.write(file, length(-1));
        assertMessage(file, "not a safetensors file: header length 18446744073709551615 is over 100000000");
        Files.write(file, length(100_000_001));
        assertMessage(file, "not a safetensors file: header length 100000001 is over 100000000");
        Files.write(file, length(100_000_000));
        assertMessage(file, "header length 100000000 is beyond the end of the file, which has 0 bytes after it: truncated?");
        Files.write(file, length(0));
        assertMessage(file, "not a safetensors file: the header does not begin with {");
    }

    @Test
    void refusesBrokenTextAndBottomlessNesting() throws IOException {
        assertMessage(file(new byte[] {'{', '"', (byte) 0xFF, '"', '}'}, 0), "header is not UTF-8");
        assertMessage(file(new byte[] {'{', 0, '}', 0}, 0), null);
        assertMessage(file(("{\"a\":" + "[".repeat(5_000_000)).getBytes(StandardCharsets.UTF_8), 0),
                "header: tensor \"a\": expected an object, found an array");
        assertMessage(file(("{\"a\":{\"shape\":[" + "9".repeat(1_000_000)).getBytes(StandardCharsets.UTF_8), 0), null);
        assertMessage(file(("{\"a\":{\"shape\":[" + "1,".repeat(1_000_000)).getBytes(StandardCharsets.UTF_8), 0),
                "header: tensor \"a\": shape: more than 64 numbers");
    }

    @Test
    void showsHostileNamesOnOneShortLine() throws IOException {
        var file = file(("{\"a\\n\\u001b[2J" + "b".repeat(100_000) + "\":1}").getBytes(StandardCharsets.UTF_8), 0);
        var told = assertThrows(InvalidFileException.class, () -> Safetensors.open(file)).getMessage();
        assertTrue(told.chars().noneMatch(Character::isISOControl), told);
        assertTrue(told.length() < file.toString().length() + 250, told);
    }

    /// A sound file with up to eight bytes changed, cut or grown: it opens, or ends in the one exception. Whatever opens can be read.
    @Test
    void survivesTwoThousandMutations() throws IOException {
        var file = folder.resolve("sound.safetensors");
        new SafetensorsWriter()
                .metadata("format", "pt")
                .add("weight", "F32", new long[] {3, 4}, new float[12])
                .add("bias", "BF16", new long[] {4}, new float[4])
                .add("steps", "I64", new long[] {}, new long[] {3})
                .write(file);
        var sound = Files.readAllBytes(file);
        int header = (int) ByteBuffer.wrap(sound).order(ByteOrder.LITTLE_ENDIAN).getLong();
        var random = new Random(20);
        int opened = 0;
        int refused = 0;
        for (int i = 0; i < 2_000; i++) {
            var bytes = mutated(sound, header + 8, random);
            Files.write(file, bytes);
            try (var read = Safetensors.open(file)) {
                for (var name : read.names()) {
                    assertEquals(read.entry(name).count(), read.floats(name).length);
                }
                opened++;
            } catch (InvalidFileException e) {
                assertTrue(e.getMessage().startsWith(file + ": "), e.getMessage());
                assertTrue(e.getMessage().chars().noneMatch(Character::isISOControl), e.getMessage());
                refused++;
            }
        }
        assertTrue(opened > 20 && refused > 1_000, opened + " opened, " + refused + " refused");
    }

    private static byte[] mutated(byte[] sound, int interesting, Random random) {
        var bytes = sound.clone();
        if (random.nextInt(10) == 0) {
            bytes = java.util.Arrays.copyOf(bytes, random.nextInt(2 * bytes.length));
        }
        int changes = 1 + random.nextInt(3);
        for (int k = 0; k < changes && bytes.length > 0; k++) {
            int at = random.nextInt(Math.min(bytes.length, interesting));
            // Half of the changes are characters that mean something in a header: rubbish alone would not get past the parser.
            bytes[at] = (byte) (random.nextBoolean() ? "0123456789-[]{},:\"FUI.e".charAt(random.nextInt(23)) : random.nextInt(256));
        }
        return bytes;
    }

    private void assertMessage(Path file, String message) {
        var told = assertThrows(InvalidFileException.class, () -> Safetensors.open(file)).getMessage();
        if (message != null) {
            assertEquals(file + ": " + message, told);
        }
        assertTrue(told.length() < 600 && !told.contains("\n"), told);
    }

    private Path file(byte[] header, int dataBytes) throws IOException {
        var file = folder.resolve("x.safetensors");
        Files.write(file, ByteBuffer.allocate(8 + header.length + dataBytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(header.length)
                .put(header)
                .array());
        return file;
    }

    private static byte[] length(long headerLength) {
        return ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(headerLength).array();
    }
}
