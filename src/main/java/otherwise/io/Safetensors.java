package otherwise.io;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/// One `.safetensors` file, memory-mapped: 8 bytes of header length, a JSON header, then the tensors back to back.
///
/// Nothing of the tensors is read before it is asked for, and nothing of the header is believed before it is checked
/// (see [SafetensorsHeader]). Format: github.com/huggingface/safetensors, README.
public final class Safetensors implements TensorFile {

    private static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /// What the reference implementation allows, too; a longer header is an attack or not a header.
    private static final long LONGEST_HEADER = 100_000_000;

    private final Path path;
    private final Arena arena;
    private final MemorySegment file;
    private final SafetensorsHeader header;

    private Safetensors(Path path, Arena arena, MemorySegment file, SafetensorsHeader header) {
        this.path = path;
        this.arena = arena;
        this.file = file;
        this.header = header;
    }

    /// Maps the file and checks its header.
    ///
    /// @throws InvalidFileException if the file is missing, cannot be read, or is not a safetensors file that is sound throughout
    @SuppressWarnings("MustBeClosedChecker") // the arena lives as long as what is returned
    public static Safetensors open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new InvalidFileException(path, Files.isDirectory(path) ? "is a folder, not a safetensors file" : "no such file");
        }
        // Shared, not confined: tensors are read by several threads, and whoever finishes last closes.
        var arena = Arena.ofShared();
        try (var channel = FileChannel.open(path, StandardOpenOption.READ)) {
            long size = channel.size();
            if (size < 8) {
                throw new InvalidFileException(path, "not a safetensors file: it has " + size + " bytes, too few for the header length");
            }
            var file = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
            return new Safetensors(path, arena, file, readHeader(path, file));
        } catch (InvalidFileException e) {
            arena.close();
            throw e;
        } catch (IOException e) {
            arena.close();
            throw new InvalidFileException(path, "cannot be read: " + e.getMessage(), e);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    private static SafetensorsHeader readHeader(Path path, MemorySegment file) throws IOException {
        long length = file.get(LENGTH, 0);
        long room = file.byteSize() - 8;
        if (length < 0 || length > LONGEST_HEADER) {
            throw new InvalidFileException(path, "not a safetensors file: header length " + Long.toUnsignedString(length) + " is over "
                    + LONGEST_HEADER);
        }
        if (length > room) {
            throw new InvalidFileException(
                    path, "header length " + length + " is beyond the end of the file, which has " + room + " bytes after it: truncated?");
        }
        if (length == 0 || file.get(ValueLayout.JAVA_BYTE, 8) != '{') {
            throw new InvalidFileException(path, "not a safetensors file: the header does not begin with {");
        }
        var json = file.asSlice(8, length).toArray(ValueLayout.JAVA_BYTE);
        return SafetensorsHeader.parse(path, json, 8 + length, room - length);
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public Map<String, String> metadata() {
        return header.metadata();
    }

    @Override
    public List<String> names() {
        return List.copyOf(header.entries().keySet());
    }

    @Override
    public Map<String, Entry> entries() {
        return Collections.unmodifiableMap(header.entries());
    }

    @Override
    public boolean contains(String name) {
        return header.entries().containsKey(name);
    }

    @Override
    public Entry entry(String name) {
        var entry = header.entries().get(name);
        if (entry == null) {
            throw new IllegalArgumentException(path + ": has no tensor " + InvalidFileException.quoted(name));
        }
        return entry;
    }

    @Override
    public MemorySegment segment(String name) {
        var entry = entry(name);
        return file.asSlice(entry.offset(), entry.bytes());
    }

    /// Unmaps the file. A second call does nothing.
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
