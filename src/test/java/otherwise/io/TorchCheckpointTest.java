package otherwise.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Files that PyTorch wrote, and the same tensors as safetensors beside them.
class TorchCheckpointTest {
    private static final Path GOLDENS = Path.of("src/test/resources/goldens/pth");

    @TempDir
    private Path folder;

    /// Every type, views of all kinds, both formats, both pickle protocols: the same names, types, shapes and bytes.
    @ParameterizedTest
    @ValueSource(strings = {"dtypes", "legacy", "many", "module_state", "nested", "parameters", "protocol4", "views"})
    void holdsWhatPyTorchSaved(String name) throws IOException {
        try (var ours = TensorFile.open(GOLDENS.resolve(name + ".pth"));
                var expected = Safetensors.open(GOLDENS.resolve(name + ".pth.expected.safetensors"))) {
            assertTrue(ours instanceof TorchCheckpoint);
            assertEquals(new HashSet<>(expected.names()), new HashSet<>(ours.names()));
            for (var tensor : expected.names()) {
                assertEquals(expected.entry(tensor).dtype(), ours.entry(tensor).dtype(), tensor);
                assertArrayEquals(expected.entry(tensor).shape(), ours.entry(tensor).shape(), tensor);
                assertArrayEquals(
                        expected.segment(tensor).toArray(ValueLayout.JAVA_BYTE), ours.segment(tensor).toArray(ValueLayout.JAVA_BYTE),
                        tensor);
            }
        }
    }

    /// A pickle can call any function of Python. Here it is told which one it asked for, and that is all.
    @Test
    void whatIsNoTensorIsRefusedByName() throws IOException {
        var file = folder.resolve("evil.pth");
        // The magic number and version of the old format, then: os.system("true")
        var legacy = Files.readAllBytes(GOLDENS.resolve("legacy.pth"));
        var evil = "cposix\nsystem\n(U\u0004truetR.".getBytes(StandardCharsets.ISO_8859_1);
        var bytes = java.util.Arrays.copyOf(legacy, 137 + evil.length);
        System.arraycopy(evil, 0, bytes, 137, evil.length);
        Files.write(file, bytes);
        var refused = assertThrows(InvalidFileException.class, () -> TensorFile.open(file));
        assertTrue(refused.getMessage().contains("evil.pth") && refused.getMessage().contains("\"posix.system\""), refused.getMessage());
    }

    @Test
    void whatIsMissingOrSomethingElseIsSaid() throws IOException {
        assertThrows(InvalidFileException.class, () -> TorchCheckpoint.open(folder));
        assertThrows(InvalidFileException.class, () -> TorchCheckpoint.open(folder.resolve("none.pth")));
        var zip = folder.resolve("other.zip");
        Files.write(zip, new byte[] {'P', 'K', 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
        var said = assertThrows(InvalidFileException.class, () -> TensorFile.open(zip)).getMessage();
        assertTrue(said.contains("data.pkl"), said);
    }

    /// Ten thousand damaged files: each opens and can be read, or is refused in one line that names it.
    @Test
    void damagedFilesAreReadOrRefused() throws IOException {
        var random = new Random(1);
        var file = folder.resolve("damaged.pth");
        int refused = 0;
        for (var name : new String[] {"dtypes", "legacy", "nested", "protocol4", "views"}) {
            var sound = Files.readAllBytes(GOLDENS.resolve(name + ".pth"));
            // Most of a file is numbers, which may be anything: half of the damage is done to the pickle at the beginning.
            for (int i = 0; i < 2000; i++) {
                var bytes = sound.clone();
                for (int k = random.nextInt(4); k >= 0; k--) {
                    int within = random.nextBoolean() ? Math.min(1400, bytes.length) : bytes.length;
                    bytes[random.nextInt(within)] = (byte) random.nextInt(256);
                }
                if (random.nextInt(8) == 0) bytes = java.util.Arrays.copyOf(bytes, random.nextInt(bytes.length));
                Files.write(file, bytes);
                try (var opened = TorchCheckpoint.open(file)) {
                    for (var tensor : opened.names()) opened.doubles(tensor);
                } catch (InvalidFileException e) {
                    refused++;
                    assertTrue(e.getMessage().startsWith(file + ": ") && e.getMessage().lines().count() == 1, e.getMessage());
                }
            }
        }
        assertTrue(refused > 2000, refused + " refused");
    }
}
