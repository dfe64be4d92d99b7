package otherwise.train;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import otherwise.backend.Backend;
import otherwise.backend.DType;
import otherwise.backend.ShapeException;
import otherwise.tensor.Tensor;

/// Named parameters in a fixed order, and what optimisers do with all of them alike.
record ParameterSet(Map<String, Tensor> byName) {

    ParameterSet {
        byName = Collections.unmodifiableMap(new LinkedHashMap<>(byName));
    }

    List<Tensor> list() {
        return List.copyOf(byName.values());
    }

    /// A tensor of zeros beside every parameter, named `<prefix>.<parameter>`.
    ///
    /// @param type of a device's tensors
    Map<String, Tensor> zeros(String prefix, Function<Backend, DType> type) {
        var zeros = new LinkedHashMap<String, Tensor>();
        byName.forEach((name, p) -> {
            zeros.put(prefix + "." + name, Tensor.zeros(p.backend(), type.apply(p.backend()), p.shape().dims()));
        });
        return zeros;
    }

    /// @throws ShapeException naming the first parameter whose gradient does not fit
    void check(List<Tensor> gradients) {
        if (gradients.size() != byName.size()) {
            throw new ShapeException(gradients.size() + " gradients for " + byName.size() + " parameters");
        }
        int i = 0;
        for (var entry : byName.entrySet()) {
            var g = gradients.get(i++);
            if (!g.shape().equals(entry.getValue().shape())) {
                throw new ShapeException(entry.getKey() + ": a gradient of " + g + " for a parameter of " + entry.getValue());
            }
        }
    }

    /// Copies `saved` into `state`, all of it or nothing.
    static void restore(Map<String, Tensor> state, Map<String, Tensor> saved) {
        var names = new ArrayList<>(saved.keySet());
        names.removeAll(state.keySet());
        if (!names.isEmpty()) throw new IllegalArgumentException("optimizer state: nothing is called " + names.getFirst());
        state.forEach((name, into) -> {
            var from = saved.get(name);
            if (from == null) throw new IllegalArgumentException("optimizer state: " + name + " is missing");
            if (!from.shape().equals(into.shape())) {
                throw new ShapeException("optimizer state: " + name + ": expected " + into.shape() + ", got " + from.shape());
            }
        });
        state.forEach((name, into) -> into.backend().upload(into.data(), saved.get(name).doubles()));
    }
}
