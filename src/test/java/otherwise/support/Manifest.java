package otherwise.support;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import otherwise.backend.DType;
import otherwise.backend.Shape;
import otherwise.backend.Storage;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// The names and shapes of a published checkpoint against what a full-size network asks for. No memory is taken for its tensors.
public final class Manifest {

    /// As many elements as one likes, none of them there.
    private static final class Imagined extends Storage {
        Imagined(long size) {
            super(DType.F32, size);
        }

        @Override
        public Storage slice(long offset, long size) {
            return new Imagined(size);
        }

        @Override
        protected void recycle() {}
    }

    private Manifest() {}

    /// Every tensor that a network asks for while it loads.
    public static Map<String, Shape> askedFor(Consumer<Weights> load) {
        var asked = new TreeMap<String, Shape>();
        load.accept(Weights.of(new Weights.Source() {
            @Override
            public Tensor tensor(String name, Shape expected) {
                asked.put(name, expected);
                return Tensor.of(null, new Imagined(expected.size()), expected);
            }

            @Override
            public boolean has(String name) {
                throw new AssertionError("a full-size network is known without a look into the file: " + name);
            }
        }));
        return asked;
    }

    /// How many elements they have together.
    public static long elements(Map<String, Shape> tensors) {
        return tensors.values().stream().mapToLong(Shape::size).sum();
    }

    /// Fails unless the manifest of this file name has exactly these tensors. Skips where there is no such manifest.
    public static void compare(String manifest, Map<String, Shape> ours) throws IOException {
        var file = Path.of("../shared/goldens/manifests", manifest);
        assumeTrue(Files.exists(file), "the manifests are not here");
        var theirs = new TreeMap<String, Shape>();
        for (var entry : new JsonMapper().readTree(file.toFile()).required("entries")) {
            var dims = new long[entry.get(1).size()];
            for (int i = 0; i < dims.length; i++) dims[i] = entry.get(1).get(i).asLong();
            theirs.put(entry.get(0).asText(), Shape.of(dims));
        }
        assertEquals(theirs, ours);
    }
}
