package otherwise.nn;

import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import otherwise.backend.DType;
import otherwise.backend.Shape;
import otherwise.backend.Storage;
import otherwise.tensor.Tensor;

/// What a network asks of its checkpoint. It is loaded from tensors that take no memory, so any size will do.
public final class Inventory {

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

    private Inventory() {}

    /// Names and shapes of all tensors that `load` asks for.
    public static Map<String, Shape> of(Consumer<Weights> load) {
        var asked = new TreeMap<String, Shape>();
        load.accept(Weights.of(new Weights.Source() {
            @Override
            public Tensor tensor(String name, Shape expected) {
                asked.put(name, expected);
                return Tensor.of(null, new Imagined(expected.size()), expected);
            }

            @Override
            public boolean has(String name) {
                throw new IllegalStateException("what is asked for depends on the file: " + name);
            }
        }));
        return asked;
    }

    /// How many elements all of them have.
    public static long elements(Map<String, Shape> tensors) {
        return tensors.values().stream().mapToLong(Shape::size).sum();
    }
}
