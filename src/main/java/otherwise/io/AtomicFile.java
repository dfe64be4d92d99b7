package otherwise.io;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;

/// Writing a file so that whoever looks sees the old content or the new one, whole, and never a part.
///
/// The content goes into a hidden file in the same folder, is forced to the disk, and is renamed into place. On any failure
/// the hidden file is deleted and what stood at the target stays. Only a killed process can leave one behind; it ends in `.tmp`
/// before the target's extension and nothing reads it.
public final class AtomicFile {

    private AtomicFile() {}

    /// What fills a stream.
    @FunctionalInterface
    public interface Content {
        void writeTo(OutputStream out) throws IOException;
    }

    /// What fills a file that it opens itself, as video encoders do.
    @FunctionalInterface
    public interface FileContent {
        void writeTo(Path temporary) throws IOException;
    }

    /// Writes `bytes` to `target`.
    ///
    /// @throws IOException if the folder is missing or the file cannot be written; one line that names the file
    public static void write(Path target, byte[] bytes) throws IOException {
        write(target, out -> out.write(bytes));
    }

    /// Writes `text` to `target`, as UTF-8.
    ///
    /// @throws IOException if the folder is missing or the file cannot be written; one line that names the file
    public static void write(Path target, String text) throws IOException {
        write(target, text.getBytes(StandardCharsets.UTF_8));
    }

    /// Writes to `target` what `content` puts into the (buffered) stream.
    ///
    /// @throws IOException if the folder is missing or the file cannot be written; one line that names the file
    public static void write(Path target, Content content) throws IOException {
        writeFile(target, temporary -> {
            try (var out = new BufferedOutputStream(Files.newOutputStream(temporary), 1 << 16)) {
                content.writeTo(out);
            }
        });
    }

    /// Writes `target` by letting `content` fill a temporary file, which has the target's extension.
    ///
    /// @throws IOException if the folder is missing or the file cannot be written; one line that names the file
    public static void writeFile(Path target, FileContent content) throws IOException {
        // A link is followed, so that what it points to is replaced and the link stays.
        var place = Files.isSymbolicLink(target) && Files.exists(target) ? target.toRealPath() : target.toAbsolutePath();
        if (place.getFileName() == null || Files.isDirectory(place)) {
            throw new InvalidFileException(target, "cannot write: is a folder");
        }
        var folder = place.getParent();
        if (!Files.isDirectory(folder)) {
            throw new InvalidFileException(
                    target, "cannot write: " + (Files.exists(folder) ? "not a folder: " : "no such folder: ") + folder);
        }
        var temporary = folder.resolve(temporaryName(place.getFileName().toString()));
        try {
            // Created by its plain name rather than by createTempFile, whose files no other user may read.
            Files.createFile(temporary);
            content.writeTo(temporary);
            force(temporary);
            move(temporary, place);
        } catch (FileSystemException e) {
            throw new InvalidFileException(target, "cannot write: " + reason(e), e);
        } catch (InvalidFileException e) {
            throw e;
        } catch (IOException e) {
            throw new InvalidFileException(target, "cannot write: " + e.getMessage(), e);
        } finally {
            Files.deleteIfExists(temporary);
        }
        forceFolder(folder);
    }

    private static String temporaryName(String name) {
        int dot = name.lastIndexOf('.');
        var extension = dot > 0 ? name.substring(dot) : "";
        var stem = dot > 0 ? name.substring(0, dot) : name;
        var random = Long.toHexString(ThreadLocalRandom.current().nextLong());
        // A file name may have 255 bytes: a long stem is cut, the random part tells two of them apart.
        return "." + (stem.length() > 40 ? stem.substring(0, 40) : stem) + "." + random + ".tmp" + extension;
    }

    private static void force(Path file) throws IOException {
        try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
    }

    private static void move(Path from, Path to) throws IOException {
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException e) {
            throw new IOException("this file system cannot rename atomically", e);
        }
    }

    /// The rename itself lasts through a power cut only once the folder is on the disk. Windows cannot open folders, and needs no such call.
    private static void forceFolder(Path folder) throws IOException {
        if (System.getProperty("os.name").toLowerCase(Locale.ROOT).startsWith("windows")) {
            return;
        }
        try (var channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (AccessDeniedException e) {
            // A folder that may be written but not listed: the file is in place, only its durability is the system's affair.
            return;
        }
    }

    private static String reason(FileSystemException e) {
        return switch (e) {
            case AccessDeniedException _ -> "permission denied";
            case NoSuchFileException _ -> "no such file or folder: " + e.getFile();
            default -> e.getReason() != null ? e.getReason() : e.toString();
        };
    }
}
