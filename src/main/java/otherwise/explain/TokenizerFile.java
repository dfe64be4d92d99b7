package otherwise.explain;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import otherwise.io.InvalidFileException;
import otherwise.models.umt5.Tokenizer;

/// Opens the file of a text encoder's [Tokenizer].
public final class TokenizerFile {
    /// Those of the largest vocabularies, a quarter of a million pieces, have 5 (`spiece.model`) and 17 (`tokenizer.json`) million bytes.
    private static final long LARGEST = 64 << 20;

    private TokenizerFile() {}

    /// Reads a `spiece.model` or a `tokenizer.json`.
    ///
    /// @throws InvalidFileException if the file is missing, cannot be read, or is neither
    public static Tokenizer open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new InvalidFileException(path, Files.isDirectory(path) ? "is a folder, not a tokenizer" : "no such file");
        }
        if (Files.size(path) > LARGEST) {
            throw new InvalidFileException(path, Files.size(path) + " bytes are too many for a tokenizer");
        }
        byte[] content;
        try {
            content = Files.readAllBytes(path);
        } catch (IOException e) {
            throw new InvalidFileException(path, "cannot be read: " + e.getMessage(), e);
        }
        try {
            return Tokenizer.of(content);
        } catch (IllegalArgumentException e) {
            throw new InvalidFileException(path, String.valueOf(e.getMessage()), e);
        }
    }
}
