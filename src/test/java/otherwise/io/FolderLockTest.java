package otherwise.io;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderLockTest {
    @TempDir
    private Path folder;

    @Test
    void oneAtATime() throws IOException {
        try (var _ = FolderLock.of(folder)) {
            var refused = assertThrows(FileSystemException.class, () -> FolderLock.of(folder));
            assertTrue(refused.getMessage().contains(folder.toString()) && refused.getMessage().contains("another run"));
        }
        try (var _ = FolderLock.of(folder)) {
            assertThrows(FileSystemException.class, () -> FolderLock.of(folder));
        }
    }

    @Test
    void aFolderThatIsMissingIsNamed() {
        var refused = assertThrows(IOException.class, () -> FolderLock.of(folder.resolve("none")));
        assertTrue(refused.getMessage().contains("none"));
    }
}
