package otherwise.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {

    @TempDir
    Path folder;

    @Test
    void keepsTheOldFileWhenWritingFails() throws IOException {
        var file = folder.resolve("a.txt");
        AtomicFile.write(file, "old");
        var e = assertThrows(
                IOException.class,
                () -> AtomicFile.write(file, out -> {
                    out.write(new byte[100_000]);
                    throw new IOException("the disk is full");
                }));
        assertEquals(file + ": cannot write: the disk is full", e.getMessage());
        assertThrows(
                IllegalStateException.class,
                () -> AtomicFile.write(file, out -> {
                    throw new IllegalStateException();
                }));
        assertEquals("old", Files.readString(file));
        assertEquals(List.of(file), filesInFolder());
    }

    @Test
    void replacesAndFollowsLinks() throws IOException {
        var file = folder.resolve("a.txt");
        var link = Files.createSymbolicLink(folder.resolve("link"), file);
        AtomicFile.write(file, "old");
        AtomicFile.write(link, "new");
        assertEquals("new", Files.readString(file));
        assertTrue(Files.isSymbolicLink(link));
        assertEquals(2, filesInFolder().size());
    }

    @Test
    void namesTheFolderThatIsMissing() throws IOException {
        var file = folder.resolve("no/a.txt");
        assertEquals(
                file + ": cannot write: no such folder: " + folder.resolve("no"),
                assertThrows(InvalidFileException.class, () -> AtomicFile.write(file, "x")).getMessage());
        assertEquals(
                folder + ": cannot write: is a folder",
                assertThrows(InvalidFileException.class, () -> AtomicFile.write(folder, "x")).getMessage());
        Files.writeString(folder.resolve("plain"), "");
        var below = folder.resolve("plain/a.txt");
        assertEquals(
                below + ": cannot write: not a folder: " + folder.resolve("plain"),
                assertThrows(InvalidFileException.class, () -> AtomicFile.write(below, "x")).getMessage());
    }

    @Test
    void handsOutATemporaryFileOfTheSameExtension() throws IOException {
        var file = folder.resolve("clip.mp4");
        AtomicFile.writeFile(file, temporary -> {
            assertTrue(temporary.toString().endsWith(".mp4"));
            assertEquals(folder, temporary.getParent());
            Files.writeString(temporary, "frames");
        });
        assertEquals("frames", Files.readString(file));
        assertEquals(List.of(file), filesInFolder());
    }

    @Test
    void hashesAsFips180Says() throws IOException {
        var file = folder.resolve("abc");
        AtomicFile.write(file, "abc");
        var expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assertEquals(expected, Sha256.of(file));
        assertEquals(expected, Sha256.of(new byte[] {'a', 'b', 'c'}));
        assertThrows(InvalidFileException.class, () -> Sha256.of(folder.resolve("none")));
    }

    private List<Path> filesInFolder() throws IOException {
        try (var files = Files.list(folder)) {
            return files.sorted().toList();
        }
    }
}
