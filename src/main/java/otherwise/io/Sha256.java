package otherwise.io;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/// The SHA-256 of files, in lower-case hexadecimal: how a run names the weights and inputs that it used.
public final class Sha256 {

    private Sha256() {}

    /// The hash of the file's content, read in pieces of 1 MiB, so that the size of a checkpoint does not matter.
    ///
    /// @throws IOException if the file cannot be read; the message names it
    public static String of(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new InvalidFileException(file, Files.exists(file) ? "is not a regular file" : "no such file");
        }
        var digest = digest();
        try (var in = Files.newInputStream(file)) {
            var piece = new byte[1 << 20];
            for (int n = in.read(piece); n >= 0; n = in.read(piece)) {
                digest.update(piece, 0, n);
            }
        } catch (IOException e) {
            throw new InvalidFileException(file, "cannot be read: " + e.getMessage(), e);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    /// The hash of bytes in memory.
    public static String of(byte[] bytes) {
        return HexFormat.of().formatHex(digest().digest(bytes));
    }

    private static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }
}
