package otherwise.autograd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import otherwise.backend.Scope;
import otherwise.backend.ShapeException;
import otherwise.backend.cpu.CpuBackend;
import otherwise.support.GradCheck;
import otherwise.support.Reference;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// Checkpointing changes what is remembered, not what comes out; and what a scope allocates dies with it.
class CheckpointTest {
    private final Reference reference = new Reference();

    private static Tensor block(Tensor x, Tensor w) {
        return x.add(x.linear(w, null).gelu()).layerNorm(null, null, 1e-5);
    }

    @Test
    void nestedCheckpointsGiveTheSameBitsAndReachCapturedWeights() {
        var x = GradCheck.normal(reference, 1, 3, 4).variable();
        var w = GradCheck.normal(reference, 2, 4, 4).variable();
        var u = GradCheck.normal(reference, 3, 3, 4);
        var plain = Gradients.of(block(block(x, w), w), u);
        var nested = Gradients.of(
                Checkpoint.of(() -> {
                    var half = Checkpoint.of(() -> block(x, w));
                    return Checkpoint.of(() -> block(half, w));
                }),
                u);
        for (var v : List.of(x, w)) assertArrayEquals(plain.to(v).doubles(), nested.to(v).doubles());
    }

    @Test
    void weightsAloneAreEnoughToBeRemembered() {
        var x = GradCheck.normal(reference, 1, 3, 4);
        var w = GradCheck.normal(reference, 2, 4, 4).variable();
        var u = GradCheck.normal(reference, 3, 3, 4);
        assertArrayEquals(
                Gradients.of(block(x, w), u).to(w).doubles(),
                Gradients.of(Checkpoint.of(() -> block(x, w)), u).to(w).doubles());
    }

    @Test
    void nothingIsRememberedWhereNothingIsAsked() {
        var x = GradCheck.normal(reference, 1, 3, 4);
        assertFalse(Checkpoint.of(() -> block(x, x.slice(0, 0, 1).expand(4, 4))).requiresGrad());
        try (var _ = Tape.off()) {
            assertFalse(x.variable().square().requiresGrad());
        }
        assertTrue(x.variable().square().requiresGrad());
        assertThrows(ShapeException.class, () -> Gradients.of(x.sum()));
        assertThrows(ShapeException.class, () -> Gradients.of(x.variable().square()));
    }

    @Test
    void aScopeGivesBackAllThatItDoesNotKeep() {
        try (var cpu = new CpuBackend(1)) {
            var x = GradCheck.normal(cpu, 1, 64, 32).variable();
            var w = GradCheck.normal(cpu, 2, 32, 32).variable();
            long before = cpu.memory().used();
            long pooled = 0;
            for (int i = 0; i < 4; i++) {
                try (var step = cpu.scope()) {
                    var loss = Checkpoint.of(() -> block(x, w)).square().mean();
                    var g = Gradients.of(loss).to(w);
                    step.keep(g.data());
                    g.data().release();
                }
                assertEquals(before, cpu.memory().used(), "after iteration " + i);
                if (i == 1) pooled = cpu.memory().pooled();
                if (i > 1) assertEquals(pooled, cpu.memory().pooled(), "the pool grows in iteration " + i);
            }
        }
    }

    @Test
    void aDeepChainNeedsNoStack() {
        Tensor x = Tensor.full(reference, 1, 1).variable();
        var y = x;
        try (var _ = Scope.open()) {
            for (int i = 0; i < 20_000; i++) y = y.plus(1e-3);
            assertEquals(1, Gradients.of(y.sum()).to(x).item());
        }
    }
}
