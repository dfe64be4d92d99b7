package otherwise.explain;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import otherwise.tensor.Tensor;

/// Where a method writes down, after every iteration, all that it needs to go on.
public interface Journal {

    /// Remembers nothing.
    Journal NONE = new Journal() {
        @Override
        public Optional<Snapshot> last() {
            return Optional.empty();
        }

        @Override
        public void save(Snapshot snapshot) {}
    };

    /// The last snapshot, if there is one.
    Optional<Snapshot> last() throws IOException;

    /// Replaces the last snapshot: afterwards there is the new one, or on failure still the old one.
    void save(Snapshot snapshot) throws IOException;

    /// Numbers and notes, by name.
    record Snapshot(Map<String, Values> tensors, Map<String, String> notes) {

        /// The elements of a tensor in row-major order, and its sizes.
        public record Values(float[] elements, long[] dims) {

            static Values of(Tensor x) {
                return new Values(x.floats(), x.shape().dims());
            }
        }

        public Snapshot {
            tensors = Map.copyOf(new LinkedHashMap<>(tensors));
            notes = Map.copyOf(new LinkedHashMap<>(notes));
        }
    }
}
