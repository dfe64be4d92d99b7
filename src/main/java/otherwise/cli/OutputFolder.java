package otherwise.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Looks at a folder that a command will fill, before anything long begins. It is made when there is something to put into it, so that a command
/// that is refused leaves nothing behind.
final class OutputFolder {
    private OutputFolder() {}

    /// @throws IllegalArgumentException if it can be neither written into nor made
    static void require(Path path) {
        var there = path.toAbsolutePath();
        while (!Files.exists(there)) there = there.getParent();
        if (!Files.isDirectory(there)) {
            throw new IllegalArgumentException(
                    there.endsWith(path) ? path + ": is a file, not a folder" : path + ": " + there + " is a file");
        }
        if (!Files.isWritable(there)) throw new IllegalArgumentException(path + ": no permission to write into " + there);
    }

    /// @param others what else a person may do, for the message
    /// @throws IllegalArgumentException also if there is something in it already
    static void requireEmpty(Path path, String others) throws IOException {
        require(path);
        if (!Files.exists(path)) return;
        try (var entries = Files.list(path)) {
            if (entries.findAny().isPresent())
                throw new IllegalArgumentException(path + ": there is something in it already; name another folder" + others);
        }
    }
}
