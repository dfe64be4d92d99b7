package otherwise.autograd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.backend.DeviceException;
import otherwise.backend.cpu.CpuBackend;
import otherwise.support.Emulated;
import otherwise.support.GradCheck;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// What a device does as a whole gives the bits that it gives bit by bit, and leaves nothing behind.
class GraphedTest {
    private static Backend device;

    @BeforeAll
    static void open() {
        assumeTrue(Emulated.present(), "no g++");
        device = Backends.open("cuda-emulated", 1);
    }

    @AfterAll
    static void close() {
        if (device != null) device.close();
    }

    private static Tensor random(int seed, long... dims) {
        return GradCheck.normal(device, seed, dims);
    }

    /// With numbers of the host in it, of the type of the device and of another, and a checkpoint.
    private static Tensor layer(Tensor x, Tensor w, Tensor shift) {
        var scale = Tensor.of(x.backend(), new float[] {1, 2, 3, 4}, 4);
        var order = Tensor.indices(x.backend(), new long[] {2, 0, 1}, 3);
        return Checkpoint.of(() -> x.mul(scale).add(shift).linear(w, null).gelu().gatherRows(order)).add(x);
    }

    @Test
    void givesTheSameBitsForwardAndBackForAnyNumbers() {
        try (var _ = device.scope()) {
            var w = random(1, 4, 4);
            var calls = new AtomicInteger();
            var graphed = new Graphed(in -> {
                calls.incrementAndGet();
                return layer(in.get(0), w, in.get(1));
            });
            for (int i = 0; i < 3; i++) {
                var x = random(10 + i, 3, 4).variable();
                var shift = random(20 + i, 1, 4);
                var dy = random(30 + i, 3, 4);
                var y = layer(x, w, shift);
                var whole = graphed.of(x, shift);
                assertArrayEquals(y.floats(), whole.floats(), "call " + i);
                assertArrayEquals(Gradients.of(y, dy).to(x).floats(), Gradients.of(whole, dy).to(x).floats(), "gradient, call " + i);
            }
            // f, and on the way back f again with its checkpoint: the device did the rest by itself.
            assertEquals(2, calls.get());
            var x = random(10, 3, 4);
            var shift = random(20, 1, 4);
            long before = device.calls();
            var _ = graphed.of(x.variable(), shift);
            assertEquals(4, device.calls() - before, "two inputs go in, all is done, the result comes out");
        }
    }

    @Test
    void outputsOfSeveralCallsLiveSideBySide() {
        try (var _ = device.scope()) {
            var w = random(1, 4, 4);
            var shift = random(2, 1, 4);
            Function<Tensor, Tensor> plain = x -> layer(x, w, shift);
            var graphed = new Graphed(in -> plain.apply(in.getFirst()));
            var other = new Graphed(in -> in.getFirst().square().add(in.getFirst().tanh()));
            var x = random(3, 3, 4).variable();
            // a chain through both, each of them twice, then back through all of it
            var expected = plain.apply(plain.apply(x).square().add(plain.apply(x).tanh()));
            var whole = graphed.of(other.of(graphed.of(x)));
            assertArrayEquals(expected.floats(), whole.floats());
            var g = Gradients.of(whole.square().sum()).to(x);
            var again = Gradients.of(graphed.of(other.of(graphed.of(x))).square().sum()).to(x);
            assertArrayEquals(g.floats(), again.floats());
            var middle = plain.apply(x);
            var reference = Gradients.of(plain.apply(middle.square().add(middle.tanh())).square().sum()).to(x);
            assertArrayEquals(reference.floats(), g.floats());
        }
    }

    @Test
    void shapesAndVariablesHaveRecordingsOfTheirOwn() {
        try (var _ = device.scope()) {
            var graphed = new Graphed(in -> in.get(0).mul(in.get(1)));
            for (var dims : new long[][] {{2, 3}, {5}, {2, 3}}) {
                var a = random(1, dims);
                var b = random(2, dims);
                assertArrayEquals(a.mul(b).floats(), graphed.of(a, b).floats());
                assertFalse(graphed.of(a, b).requiresGrad());
                var v = b.variable();
                assertArrayEquals(a.floats(), Gradients.of(graphed.of(a, v).sum()).to(v).floats());
                var u = a.variable();
                var both = Gradients.of(graphed.of(u, v).sum());
                assertArrayEquals(b.floats(), both.to(u).floats());
                assertArrayEquals(a.floats(), both.to(v).floats());
            }
            try (var _ = Tape.off()) {
                assertFalse(graphed.of(random(1, 5).variable(), random(2, 5)).requiresGrad());
            }
        }
    }

    @Test
    void typesHaveRecordingsOfTheirOwnAndAConstantHasNoGradient() {
        try (var _ = device.scope()) {
            var copied = new Graphed(in -> in.getFirst().copy());
            assertArrayEquals(random(1, 2).floats(), copied.of(random(1, 2)).floats());
            assertArrayEquals(new float[] {5, 6}, copied.of(Tensor.indices(device, new long[] {5, 6}, 2)).floats());
            var x = random(1, 3).variable();
            var constant = new Graphed(in -> Tensor.full(device, 2, 3));
            assertArrayEquals(new float[3], Gradients.of(constant.of(x).sum()).to(x).floats());
        }
    }

    @Test
    void outsideOfItsScopeItIsRefused() {
        try (var _ = device.scope()) {
            var x = random(1, 3).variable();
            Graphed gone;
            Tensor made;
            try (var scope = device.scope()) {
                gone = new Graphed(in -> in.getFirst().square());
                made = gone.of(x);
                scope.keep(made.data());
            }
            long before = device.memory().used();
            assertThrows(IllegalStateException.class, () -> gone.of(x));
            assertEquals(before, device.memory().used());
            assertThrows(IllegalStateException.class, () -> Gradients.of(made.sum()));
            before = device.memory().used();
            var graph = device.record(() -> device.fill(x.data(), 1));
            graph.close();
            assertThrows(IllegalStateException.class, graph::run);
            graph.close();
            assertEquals(before, device.memory().used());
        }
    }

    @Test
    void insideACheckpointItIsRemembered() {
        try (var _ = device.scope()) {
            var graphed = new Graphed(in -> in.getFirst().square());
            var x = random(1, 7).variable();
            var y = Checkpoint.of(() -> graphed.of(x).tanh());
            assertTrue(y.requiresGrad());
            assertArrayEquals(Gradients.of(x.square().tanh().sum()).to(x).floats(), Gradients.of(y.sum()).to(x).floats());
        }
    }

    @Test
    void leavesNothingBehind() {
        try (var _ = device.scope()) {
            var w = random(1, 4, 4);
            var x = random(2, 3, 4).variable();
            var shift = random(3, 1, 4);
            long before = device.memory().used();
            long recorded = 0;
            try (var _ = device.scope()) {
                var graphed = new Graphed(in -> layer(in.get(0), w, in.get(1)));
                for (int i = 0; i < 4; i++) {
                    try (var _ = device.scope()) {
                        var _ = Gradients.of(graphed.of(x, shift).sum()).to(x);
                    }
                    if (i == 0) recorded = device.memory().used();
                    assertEquals(recorded, device.memory().used(), "after call " + i);
                }
                assertTrue(recorded > before, "what is recorded has memory of its own");
            }
            assertEquals(before, device.memory().used());
        }
    }

    @Test
    void whatFailsIsForgotten() {
        try (var _ = device.scope()) {
            var x = random(1, 6);
            long before = device.memory().used();
            var seen = new ArrayList<String>();
            for (var f : List.<Function<List<Tensor>, Tensor>>of(
                    in -> Tensor.of(device, in.getFirst().square().floats(), 6),
                    in -> new Graphed(inner -> inner.getFirst().square()).of(in.getFirst()))) {
                try (var _ = device.scope()) {
                    seen.add(assertThrows(IllegalStateException.class, () -> new Graphed(f).of(x)).getMessage());
                }
                assertEquals(before, device.memory().used());
            }
            assertEquals(
                    List.of("cuda-emulated: the host cannot look at numbers in a recording",
                            "cuda-emulated: a recording within a recording"),
                    seen);
            assertArrayEquals(x.square().floats(), new Graphed(in -> in.getFirst().square()).of(x).floats(), "and the next goes well");
        }
    }

    @Test
    void aDeviceThatTakesNothingDownSaysSo() {
        try (var cpu = new CpuBackend(1);
                var _ = cpu.scope()) {
            long before = cpu.memory().used();
            try (var _ = cpu.scope()) {
                var x = GradCheck.normal(cpu, 1, 6);
                var e = assertThrows(DeviceException.class, () -> new Graphed(in -> in.getFirst().square()).of(x));
                assertEquals("cpu: it does nothing as a graph; only the CUDA devices do", e.getMessage());
            }
            assertEquals(before, cpu.memory().used());
        }
    }
}
