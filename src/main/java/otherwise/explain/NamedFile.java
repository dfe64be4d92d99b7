package otherwise.explain;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.io.TensorFile;
import otherwise.io.WeightFile;
import otherwise.nn.Names;
import otherwise.nn.Names.Origin;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// A checkpoint under our names, whatever its own are: which naming it uses, its names tell.
///
/// A tensor that has the same elements there is handed on as it lies in the file, mapped and not copied. One that is in several pieces there,
/// or transposed, is put together when it is asked for, and kept by nobody. What has no name of ours keeps its own.
public final class NamedFile implements TensorFile {
    private final TensorFile file;
    private final Optional<Names.Found> found;
    private final String prefix;
    private final Map<String, Origin> origins = new LinkedHashMap<>();

    private NamedFile(TensorFile file, String folder, List<Names> known) {
        this.file = file;
        var names = file.names().stream().filter(n -> n.startsWith(folder)).map(n -> n.substring(folder.length())).toList();
        this.found = Names.in(names, known);
        this.prefix = folder + found.map(Names.Found::prefix).orElse("");
        for (var name : names) {
            var stored = folder + name;
            var ours = stored.startsWith(prefix) ? ours(stored.substring(prefix.length())) : Optional.<String>empty();
            var origin = ours.flatMap(this::origin).orElse(null);
            if (origin != null) origins.putIfAbsent(ours.orElseThrow(), origin);
            else origins.putIfAbsent(name, new Origin(List.of(stored), 0, false));
        }
    }

    private Optional<String> ours(String theirs) {
        return found.isEmpty() ? Optional.of(theirs) : found.get().names().ours(theirs);
    }

    /// Where all of a tensor's pieces are in the file; empty if one is missing.
    private Optional<Origin> origin(String ours) {
        if (found.isEmpty()) return Optional.of(new Origin(List.of(prefix + ours), 0, false));
        return found.get().names().origin(ours)
                .map(o -> new Origin(o.names().stream().map(n -> prefix + n).toList(), o.leading(), o.transposed()))
                .filter(o -> o.names().stream().allMatch(file::contains));
    }

    /// The whole file. Closing either closes the other.
    ///
    /// @param known the namings in question; those that others' names could be mistaken for come last
    public static NamedFile of(TensorFile file, List<Names> known) {
        return new NamedFile(file, "", known);
    }

    /// The part of a file whose names begin with `folder`, as if it were a file of its own.
    public static NamedFile of(TensorFile file, String folder, List<Names> known) {
        return new NamedFile(file, folder, known);
    }

    /// Its tensors on a device, each read when it is asked for, into the innermost scope.
    Weights weights(Backend backend) {
        var file = new WeightFile(this, backend);
        return Weights.of(new Weights.Source() {
            @Override
            public Tensor tensor(String name, Shape expected) {
                return file.apply(name);
            }

            @Override
            public boolean has(String name) {
                return file.has(name);
            }
        });
    }

    /// The naming that the file uses; empty if it is none of the known ones.
    public Optional<Names> naming() {
        return found.map(Names.Found::names);
    }

    /// The file's own names of what makes up our tensor; none if there is no such tensor.
    public List<String> stored(String name) {
        return contains(name) ? origins.get(name).names() : List.of();
    }

    /// The names, among [#names], that our networks do not need: those that such checkpoints are known to have besides, and what lies
    /// outside the folder that holds the network, such as an optimiser's state.
    public List<String> spare() {
        return names().stream().filter(this::isSpare).toList();
    }

    private boolean isSpare(String name) {
        return found.isPresent() && (found.get().names().isSpare(name) || !of(name).names().getFirst().startsWith(prefix));
    }

    /// Whether our tensor of this name has this shape; not, if its pieces do not fit together.
    public boolean fits(String name, Shape shape) {
        try {
            return Arrays.equals(entry(name).shape(), shape.dims());
        } catch (IllegalArgumentException e) {
            return false; // pieces of different kinds
        }
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public Map<String, String> metadata() {
        return file.metadata();
    }

    @Override
    public List<String> names() {
        return List.copyOf(origins.keySet());
    }

    @Override
    public boolean contains(String name) {
        return origins.containsKey(name);
    }

    /// As in [TensorFile]; the offset is that of the first piece.
    ///
    /// @throws IllegalArgumentException also if the pieces do not fit together
    @Override
    public Entry entry(String name) {
        var origin = of(name);
        var first = file.entry(origin.names().getFirst());
        var shape = new ArrayList<Long>();
        for (long d : first.shape()) shape.add(d);
        long bytes = first.bytes();
        for (var more : origin.names().subList(1, origin.names().size())) {
            var entry = file.entry(more);
            bytes += entry.bytes();
            requireFit(first, entry);
            shape.set(0, shape.getFirst() + entry.shape()[0]);
        }
        if (origin.transposed()) {
            if (shape.size() != 2) throw new IllegalArgumentException(path() + ": " + first + " has no two axes to swap");
            shape.addLast(shape.removeFirst());
        }
        for (int i = 0; i < origin.leading(); i++) shape.addFirst(1L);
        return new Entry(name, first.dtype(), shape.stream().mapToLong(Long::longValue).toArray(), first.offset(), bytes);
    }

    /// Pieces differ at most in their first axis.
    private void requireFit(Entry a, Entry b) {
        boolean fit = a.dtype().equals(b.dtype()) && a.shape().length == b.shape().length && a.shape().length > 0;
        for (int i = 1; fit && i < a.shape().length; i++) fit = a.shape()[i] == b.shape()[i];
        if (!fit) throw new IllegalArgumentException(path() + ": " + a + " and " + b + " cannot be joined");
    }

    @Override
    public MemorySegment segment(String name) {
        var origin = of(name);
        if (origin.names().size() == 1 && !origin.transposed()) return file.segment(origin.names().getFirst());
        var entry = entry(name);
        var whole = Arena.ofAuto().allocate(Math.max(1, entry.bytes())).asSlice(0, entry.bytes());
        long at = 0;
        for (var piece : origin.names()) {
            var from = file.segment(piece);
            MemorySegment.copy(from, 0, whole, at, from.byteSize());
            at += from.byteSize();
        }
        return origin.transposed() ? transposed(whole, entry) : whole;
    }

    /// `[c, r]` as it lies in the file → `[r, c]`, the shape of `to`.
    private static MemorySegment transposed(MemorySegment from, Entry to) {
        var swapped = Arena.ofAuto().allocate(Math.max(1, to.bytes())).asSlice(0, to.bytes());
        long rows = to.shape()[0];
        long columns = to.shape()[1];
        long size = to.count() == 0 ? 0 : to.bytes() / to.count();
        for (long r = 0; r < rows; r++) {
            for (long c = 0; c < columns; c++) {
                MemorySegment.copy(from, (c * rows + r) * size, swapped, (r * columns + c) * size, size);
            }
        }
        return swapped;
    }

    private Origin of(String name) {
        var origin = origins.get(name);
        if (origin == null) throw new IllegalArgumentException(path() + ": has no tensor '" + name + "'");
        return origin;
    }

    @Override
    public void close() {
        file.close();
    }
}
