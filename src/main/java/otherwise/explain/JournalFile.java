package otherwise.explain;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Optional;
import java.util.TreeMap;
import otherwise.io.Safetensors;
import otherwise.io.SafetensorsWriter;

/// A journal that is one safetensors file, replaced atomically: whenever the process dies, the file holds a whole snapshot.
public record JournalFile(Path path) implements Journal {

    @Override
    public Optional<Snapshot> last() throws IOException {
        if (!Files.exists(path)) return Optional.empty();
        try (var file = Safetensors.open(path)) {
            var tensors = new HashMap<String, Snapshot.Values>();
            for (var name : file.names()) tensors.put(name, new Snapshot.Values(file.floats(name), file.entry(name).shape()));
            return Optional.of(new Snapshot(tensors, file.metadata()));
        }
    }

    @Override
    public void save(Snapshot snapshot) throws IOException {
        var writer = new SafetensorsWriter();
        // In alphabetical order, so that equal snapshots are equal files.
        new TreeMap<>(snapshot.notes()).forEach(writer::metadata);
        new TreeMap<>(snapshot.tensors()).forEach((name, v) -> writer.add(name, "F32", v.dims(), v.elements()));
        writer.write(path);
    }
}
