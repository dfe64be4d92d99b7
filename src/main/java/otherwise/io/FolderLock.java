package otherwise.io;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// Keeps a folder for one process at a time: two that write the same state would undo each other's work. The system lets go of it when the
/// process ends, however it ends; an empty file `.lock` stays behind.
public final class FolderLock implements AutoCloseable {
    private final FileChannel channel;

    private FolderLock(FileChannel channel) {
        this.channel = channel;
    }

    /// @throws FileSystemException if another process has the folder, or it cannot be written
    public static FolderLock of(Path folder) throws IOException {
        var channel = FileChannel.open(folder.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        boolean ours = false;
        try {
            ours = channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            // Held by this very process: no different from another one.
        } finally {
            if (!ours) channel.close();
        }
        if (!ours)
            throw new FileSystemException(folder.toString(), null, "another run is writing into this folder; wait for it or stop it");
        return new FolderLock(channel);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
