package otherwise.io;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipFile;
import otherwise.io.Pickle.Tuple;
import otherwise.io.TorchPickle.View;

/// A checkpoint that `torch.save` wrote (`.pth`, `.pt`, `.ckpt`): a zip archive with a pickle and one entry a storage, or, before 2020, one
/// stream. Storages are mapped, not copied; only a tensor whose elements do not lie one after the other is gathered, when asked for.
///
/// The names of nested dictionaries, lists and tuples are joined by dots (`state_dict.conv.weight`); a file of one bare tensor calls it
/// `tensor`. What is no tensor is left out.
public final class TorchCheckpoint implements TensorFile {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final BigInteger MAGIC = new BigInteger("119547037146038801333356");
    private static final long LEGACY_PROTOCOL = 1001;
    private static final int DEEPEST = 32;
    private static final int MOST_VALUES = 1 << 20;

    /// Up to this size a tensor may be any number of times as large as the memory that it is a view of; beyond, [#REPEATS] times.
    private static final long FREELY_REPEATED = 1L << 26;
    private static final long REPEATS = 4;

    private final Path path;
    private final Arena arena;
    private final Map<String, MemorySegment> storages;
    private final Map<String, View> views = new LinkedHashMap<>();
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final Map<String, MemorySegment> gathered = new ConcurrentHashMap<>();

    private int values;

    private TorchCheckpoint(Path path, Arena arena, MemorySegment file, Object root, Map<String, MemorySegment> storages)
            throws IOException {
        this.path = path;
        this.arena = arena;
        this.storages = storages;
        if (root instanceof View view) put("tensor", view, file);
        else flatten("", root, 0, file);
    }

    /// Maps the file and reads its pickle, not its tensors.
    ///
    /// @throws InvalidFileException if the file is missing, is no checkpoint, is damaged, or asks for anything but tensors
    @SuppressWarnings("MustBeClosedChecker") // The result owns the arena, and every failure closes it.
    public static TorchCheckpoint open(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new InvalidFileException(path, Files.isDirectory(path) ? "is a folder, not a checkpoint" : "no such file");
        }
        var arena = Arena.ofShared();
        try (var channel = FileChannel.open(path, StandardOpenOption.READ)) {
            var file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            return isZip(file) ? zipped(path, arena, file) : stream(path, arena, file);
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

    /// Whether a file that begins so may be one: a zip archive, or a pickle of protocol 2 whose first value is a long number.
    static boolean begins(byte[] first) {
        return isZip(MemorySegment.ofArray(first))
                || first.length > 3 && first[0] == (byte) 0x80 && first[1] == 2 && first[2] == (byte) 0x8a;
    }

    private static boolean isZip(MemorySegment file) {
        return file.byteSize() > 3 && file.get(ValueLayout.JAVA_BYTE, 0) == 'P' && file.get(ValueLayout.JAVA_BYTE, 1) == 'K';
    }

    // ---- the two formats -----------------------------------------------------------------------------------------------------------

    /// `<top>/data.pkl`, `<top>/data/<key>` … uncompressed, and `<top>/byteorder` in newer files.
    private static TorchCheckpoint zipped(Path path, Arena arena, MemorySegment file) throws IOException {
        var parts = parts(path, file);
        var pickles = parts.keySet().stream().filter(n -> n.endsWith("/data.pkl") && n.indexOf('/') == n.lastIndexOf('/')).toList();
        if (pickles.size() != 1) {
            throw new InvalidFileException(path, "not a checkpoint: the archive has " + pickles.size() + " entries named data.pkl");
        }
        var top = pickles.getFirst().substring(0, pickles.getFirst().indexOf('/') + 1);
        var order = parts.get(top + "byteorder");
        if (order != null && order.byteSize() > 0 && order.get(ValueLayout.JAVA_BYTE, 0) != 'l') {
            throw new InvalidFileException(path, "was written on a big-endian machine, which is not supported");
        }
        var constructors = new TorchPickle(path, new LinkedHashMap<>());
        var root = new Pickle(path, parts.get(pickles.getFirst()), constructors).read();
        var storages = new HashMap<String, MemorySegment>();
        for (var key : constructors.storages().keySet()) {
            var part = parts.get(top + "data/" + key);
            if (part == null) throw new InvalidFileException(path, "has no entry " + InvalidFileException.quoted(top + "data/" + key));
            storages.put(key, part);
        }
        return new TorchCheckpoint(path, arena, file, root, storages);
    }

    private static Map<String, MemorySegment> parts(Path path, MemorySegment file) throws IOException {
        var parts = new HashMap<String, MemorySegment>();
        try (var zip = ZipFile.builder().setPath(path).get()) {
            for (var entry : Collections.list(zip.getEntries())) {
                var name = InvalidFileException.quoted(entry.getName());
                if (entry.getMethod() != ZipArchiveEntry.STORED || entry.getSize() != entry.getCompressedSize()) {
                    throw new InvalidFileException(path, "entry " + name + " is compressed; torch.save never does that");
                }
                long from = entry.getDataOffset();
                if (from < 0 || entry.getSize() < 0 || from > file.byteSize() || entry.getSize() > file.byteSize() - from) {
                    throw new InvalidFileException(path, "entry " + name + " lies beyond the end of the file: truncated?");
                }
                if (parts.put(entry.getName(), file.asSlice(from, entry.getSize())) != null) {
                    throw new InvalidFileException(path, "has two entries " + name);
                }
            }
        } catch (InvalidFileException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            throw new InvalidFileException(path, "is a damaged zip archive: " + e.getMessage(), e);
        }
        return parts;
    }

    /// Five pickles (magic number, version, machine, the tensors, the keys of their storages), then each storage: its length and elements.
    private static TorchCheckpoint stream(Path path, Arena arena, MemorySegment file) throws IOException {
        var constructors = new TorchPickle(path, new LinkedHashMap<>());
        var pickle = new Pickle(path, file, constructors);
        if (!MAGIC.equals(pickle.read())) throw new InvalidFileException(path, "not a checkpoint: it does not begin as torch.save begins");
        if (!Long.valueOf(LEGACY_PROTOCOL).equals(pickle.read()))
            throw new InvalidFileException(path, "is a checkpoint of an unknown version");
        if (pickle.read() instanceof Map<?, ?> machine && Boolean.FALSE.equals(machine.get("little_endian"))) {
            throw new InvalidFileException(path, "was written on a big-endian machine, which is not supported");
        }
        var root = pickle.read();
        if (!(pickle.read() instanceof List<?> keys)) throw new InvalidFileException(path, "has no list of storages after its pickle");
        var storages = new HashMap<String, MemorySegment>();
        long at = pickle.position();
        for (var key : keys) {
            var stored = key instanceof String s ? constructors.storages().get(s) : null;
            if (stored == null) throw new InvalidFileException(path, "lists a storage that no tensor uses");
            if (file.byteSize() - at < 8) throw new InvalidFileException(path, "is cut off before storage " + stored.key());
            long count = file.get(LONG, at);
            at += 8;
            long room = (file.byteSize() - at) / stored.type().size();
            if (count != stored.count() || count > room) {
                throw new InvalidFileException(path, "storage " + InvalidFileException.quoted(stored.key()) + " has " + count
                        + " elements; expected " + stored.count() + ", and there is room for " + room);
            }
            storages.put(stored.key(), file.asSlice(at, count * stored.type().size()));
            at += count * stored.type().size();
        }
        return new TorchCheckpoint(path, arena, file, root, storages);
    }

    // ---- the tensors ---------------------------------------------------------------------------------------------------------------

    private void flatten(String prefix, Object value, int depth, MemorySegment file) throws IOException {
        if (depth > DEEPEST) throw new InvalidFileException(path, "its containers are more than " + DEEPEST + " deep");
        if (++values > MOST_VALUES) throw new InvalidFileException(path, "holds more than " + MOST_VALUES + " values");
        switch (value) {
            case View view -> put(prefix, view, file);
            case Map<?, ?> map -> {
                for (var e : map.entrySet()) flatten(joined(prefix, String.valueOf(e.getKey())), e.getValue(), depth + 1, file);
            }
            case List<?> list -> {
                for (int i = 0; i < list.size(); i++) flatten(joined(prefix, Integer.toString(i)), list.get(i), depth + 1, file);
            }
            case Tuple(List<Object> items) -> flatten(prefix, items, depth + 1, file);
            default -> {
                // Numbers, text and the like: they describe the training.
            }
        }
    }

    private static String joined(String prefix, String name) {
        return prefix.isEmpty() ? name : prefix + "." + name;
    }

    private void put(String name, View view, MemorySegment file) throws IOException {
        var where = "tensor " + InvalidFileException.quoted(name) + ": ";
        var storage = storages.get(view.storage().key());
        if (storage == null) throw new InvalidFileException(path, where + "its storage is not in the file");
        long width = view.type().size();
        try {
            // In elements of the tensor's type; a part of a storage begins where the storage's own type says.
            long start = Math.addExact(Math.multiplyExact(view.storage().from(), view.storage().type().size()) / width, view.offset());
            long count = 1;
            long reach = 0;
            boolean empty = false;
            for (int i = 0; i < view.size().length; i++) {
                long size = view.size()[i];
                if (size < 0 || view.stride()[i] < 0) throw new InvalidFileException(path, where + "a size or stride is negative");
                empty |= size == 0;
                if (size > 0) reach = Math.addExact(reach, Math.multiplyExact(size - 1, view.stride()[i]));
            }
            if (!empty) for (long size : view.size()) count = Math.multiplyExact(count, size);
            if (empty) {
                count = 0;
                reach = -1;
            }
            long room = storage.byteSize() / width;
            if (start < 0 || start > room || Math.addExact(start, reach) >= room && !empty) {
                throw new InvalidFileException(path, where + "reaches beyond its storage of " + room + " elements");
            }
            long bytes = Math.multiplyExact(count, width);
            if (bytes > FREELY_REPEATED && bytes / REPEATS > storage.byteSize()) {
                throw new InvalidFileException(path, where + "repeats a storage of " + storage.byteSize() + " bytes up to " + bytes);
            }
            long offset = storage.address() - file.address() + start * width;
            if (entries.put(name, new Entry(name, view.type().name(), view.size(), offset, bytes)) != null) {
                throw new InvalidFileException(path, where + "there are two of this name");
            }
            views.put(name, view);
        } catch (ArithmeticException e) {
            throw new InvalidFileException(path, where + "its sizes overflow 64 bits", e);
        }
    }

    @Override
    public MemorySegment segment(String name) {
        var entry = entry(name);
        var view = views.get(name);
        var storage = storages.get(view.storage().key());
        if (entry.bytes() == 0) return storage.asSlice(0, 0);
        long start = view.storage().from() * view.storage().type().size() + view.offset() * view.type().size();
        if (isDense(view)) return storage.asSlice(start, entry.bytes());
        return gathered.computeIfAbsent(name, _ -> gather(view, storage, start, entry.bytes()));
    }

    private static boolean isDense(View view) {
        long expected = 1;
        for (int i = view.size().length - 1; i >= 0; i--) {
            if (view.size()[i] != 1 && view.stride()[i] != expected) return false;
            expected *= view.size()[i];
        }
        return true;
    }

    /// The elements in row-major order, in memory of their own.
    private MemorySegment gather(View view, MemorySegment storage, long start, long bytes) {
        int width = view.type().size();
        var to = arena.allocate(bytes, width);
        int rank = view.size().length;
        var index = new long[rank];
        long from = 0;
        for (long at = 0; at < bytes; at += width) {
            MemorySegment.copy(storage, start + from * width, to, at, width);
            for (int i = rank - 1; i >= 0; i--) {
                from += view.stride()[i];
                if (++index[i] < view.size()[i]) break;
                from -= index[i] * view.stride()[i];
                index[i] = 0;
            }
        }
        return to;
    }

    @Override
    public Path path() {
        return path;
    }

    /// Nothing: what a checkpoint says beside its tensors is not text.
    @Override
    public Map<String, String> metadata() {
        return Map.of();
    }

    @Override
    public List<String> names() {
        return List.copyOf(entries.keySet());
    }

    @Override
    public Map<String, Entry> entries() {
        return Collections.unmodifiableMap(entries);
    }

    @Override
    public boolean contains(String name) {
        return entries.containsKey(name);
    }

    @Override
    public Entry entry(String name) {
        var entry = entries.get(name);
        if (entry == null) throw new IllegalArgumentException(path + ": has no tensor " + InvalidFileException.quoted(name));
        return entry;
    }

    /// Unmaps the file. A second call does nothing.
    @Override
    public void close() {
        if (arena.scope().isAlive()) arena.close();
    }
}
