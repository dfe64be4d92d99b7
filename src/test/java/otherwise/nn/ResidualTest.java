package otherwise.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import otherwise.backend.Backends;
import otherwise.backend.SizeClass;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

class ResidualTest {

    /// The branch by itself is no tensor of the network; who listens sees it under the layer's name, and it is what the gate lets through.
    @Test
    void aBranchIsShownAndItsMemoryFreed() {
        try (var backend = Backends.open("cpu", 1);
                var _ = backend.scope()) {
            var random = Random.philox(3, 0);
            var x = random.normal(backend, 2, 3, 5);
            var gate = random.normal(backend, 2, 1, 5);
            var a = random.normal(backend, 2, 3, 7);
            var last = new Linear(random.normal(backend, 5, 7), random.normal(backend, 5));
            var seen = new TreeMap<String, float[]>();
            long used = backend.memory().used();
            Tensor y;
            try (var _ = Trace.listen((name, shown) -> seen.put(name, shown.floats()))) {
                y = Trace.at("block", () -> Trace.at("ffn", () -> new Residual(x, gate).add(last, a)));
            }
            assertEquals(used + SizeClass.of(y.size() * Float.BYTES), backend.memory().used());
            assertEquals("[block.ffn]", seen.keySet().toString());
            var branch = Tensor.of(backend, seen.get("block.ffn"), 2, 3, 5);
            assertArrayEquals(x.add(gate.mul(branch)).floats(), y.floats(), 1e-5f);
            assertArrayEquals(x.add(branch).floats(), Residual.of(x).add(last, a).floats(), 1e-5f);
        }
    }
}
