package otherwise.autograd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import otherwise.backend.cpu.CpuBackend;
import otherwise.support.GradCheck;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// What the way back does not read is gone when a piece of a layer is done; what it reads is there.
class TransientTest {
    private static final long ROWS = 64;
    private static final long C = 32;

    /// Bytes of the large tensors here.
    private static final long ONE = ROWS * C * Float.BYTES;

    private final CpuBackend cpu = new CpuBackend(1);

    @AfterEach
    void close() {
        cpu.close();
    }

    private Tensor random(int seed, long... dims) {
        return GradCheck.normal(cpu, seed, dims);
    }

    /// Bytes that stay in use after f(x), which is no larger than x, beside what it returns.
    private long left(Function<Tensor, Tensor> f, Tensor x) {
        try (var _ = cpu.scope()) {
            long before = cpu.memory().used();
            var y = Transient.of(() -> f.apply(x));
            return cpu.memory().used() - before - y.size() * Float.BYTES;
        }
    }

    private static void assertNear(long expected, long bytes) {
        assertTrue(Math.abs(bytes - expected) < ONE / 4, bytes + " bytes, not about " + expected);
    }

    @Test
    void withFrozenWeightsWhatGoesIntoProductsIsGone() {
        try (var _ = cpu.scope()) {
            var x = random(1, ROWS, C).variable();
            var frozen = random(2, C, C);
            Function<Tensor, Tensor> three = t -> t.linear(frozen, null).times(2).linear(frozen, null);
            assertNear(0, left(three, x));
            // what a function is taken of stays, and so does what a trained weight meets
            assertNear(ONE, left(t -> t.linear(frozen, null).gelu().linear(frozen, null), x));
            var trained = frozen.variable();
            assertNear(ONE, left(t -> t.linear(frozen, null).linear(trained, null), x));
            // what two look at stays if one of them reads it
            assertNear(ONE, left(t -> {
                var h = t.linear(frozen, null);
                return h.square().add(h.times(3));
            }, x));
            // another shape is the same memory
            assertNear(ONE, left(t -> t.linear(frozen, null).reshape(C, ROWS).square().times(2).reshape(ROWS, C), x));
            try (var _ = Tape.off()) {
                assertNear(0, left(t -> t.linear(frozen, null).gelu().linear(frozen, null), x));
            }
        }
    }

    @Test
    void nothingGoesOfWhatACheckpointMayComputeAgain() {
        try (var _ = cpu.scope()) {
            var x = random(1, ROWS, C).variable();
            var w = random(2, C, C);
            Function<Tensor, Tensor> f = t -> {
                var h = t.linear(w, null);
                return h.add(Checkpoint.of(() -> h.tanh().linear(w, null)));
            };
            var u = random(3, ROWS, C);
            var expected = Gradients.of(f.apply(x), u).to(x).floats();
            var y = Transient.of(() -> f.apply(x));
            for (int i = 0; i < 8; i++) Tensor.full(cpu, Double.NaN, ROWS, C);
            assertArrayEquals(expected, Gradients.of(y, u).to(x).floats());
        }
    }

    @Test
    void whatIsOlderOrReturnedStays() {
        try (var _ = cpu.scope()) {
            var x = random(1, ROWS, C).variable();
            var h = x.times(2);
            long before = cpu.memory().used();
            assertEquals(h, Transient.of(() -> h));
            assertEquals(before, cpu.memory().used());
            var values = h.floats();
            var y = Transient.of(() -> h.times(3).reshape(C, ROWS));
            for (int i = 0; i < 8; i++) Tensor.full(cpu, Double.NaN, ROWS, C);
            assertArrayEquals(values, h.floats());
            assertEquals(3 * values[5], y.floats()[5], 1e-6);
        }
    }

    /// Twenty functions read what they are taken of; when the walk has passed them and comes to what was made first, all of that is gone.
    @Test
    void theWayBackOfACheckpointFreesWhatLiesBehind() {
        try (var _ = cpu.scope()) {
            var x = random(1, ROWS, C).variable();
            var u = random(2, ROWS, C);
            long before = cpu.memory().used();
            var used = new ArrayList<Long>();
            var y = Checkpoint.of(() -> {
                var h = Checkpoint.of(() -> {
                    used.add(cpu.memory().used() - before);
                    return x.times(0.5);
                });
                for (int i = 0; i < 20; i++) h = h.tanh();
                return h;
            });
            var gradient = Gradients.of(y, u).to(x);
            assertEquals(3, used.size(), "forward, again, and on the way back");
            assertTrue(used.getLast() <= 5 * ONE, used + " bytes");
            var plain = x.times(0.5);
            for (int i = 0; i < 20; i++) plain = plain.tanh();
            assertArrayEquals(Gradients.of(plain, u).to(x).floats(), gradient.floats());
        }
    }
}
