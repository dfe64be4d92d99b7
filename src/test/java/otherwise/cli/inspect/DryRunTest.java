package otherwise.cli.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import otherwise.autograd.Activations;
import otherwise.autograd.Gradients;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.backend.DType;
import otherwise.backend.Shape;
import otherwise.backend.dry.DryBackend;
import otherwise.models.swin.SwinConfig;
import otherwise.models.wan.WanConfig;
import otherwise.models.wan.WanVaeConfig;
import otherwise.nn.Weights;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// Does the device that computes nothing ask for the memory that a real one takes?
class DryRunTest {
    private static final WanConfig TRANSFORMER =
            new WanConfig("i2v", List.of(1, 2, 2), 6, 36, 24, 48, 16, 12, 16, 2, 3, true, true, 1e-6, 20);
    private static final WanVaeConfig VAE = new WanVaeConfig(8, 16, List.of(1, 2, 2, 2), 1, List.of(), List.of(false, true, true));
    private static final SwinConfig SWIN =
            new SwinConfig(List.of(2, 4, 4), 8, List.of(2, 2), List.of(2, 4), List.of(2, 3, 3), 2, 5, 1e-5);
    private static final Size SIZE = new Size(9, 32, 48);

    private static Stream<Subject> subjects() {
        return Stream.of(Subject.transformer(TRANSFORMER, VAE, 5, SIZE), Subject.vae(VAE, SIZE), Subject.swin(SWIN, SIZE));
    }

    @ParameterizedTest
    @EnumSource(Activations.class)
    void memoryIsThatOfTheProcessor(Activations activations) {
        subjects().forEach(subject -> {
            int passes = subject.load().apply(zeros(new DryBackend(DType.F32, () -> "")), SIZE).size();
            for (int i = 0; i < passes; i++) {
                for (boolean back : new boolean[] {false, true}) {
                    long dry = peak(new DryBackend(DType.F32, () -> ""), subject, i, activations, back);
                    long real = peak(Backends.open("cpu", 1), subject, i, activations, back);
                    assertEquals(real, dry, "pass " + i + (back ? " and back" : ""));
                }
            }
        });
    }

    private static Weights zeros(Backend backend) {
        return Weights.of(new Weights.Source() {
            @Override
            public Tensor tensor(String name, Shape expected) {
                return Tensor.zeros(backend, expected.dims());
            }

            @Override
            public boolean has(String name) {
                return true;
            }
        });
    }

    private static long peak(Backend backend, Subject subject, int pass, Activations activations, boolean back) {
        try (backend;
                var _ = backend.scope()) {
            var chosen = subject.load().apply(zeros(backend), SIZE).get(pass);
            var x = Tensor.zeros(backend, chosen.input());
            if (back) {
                var y = chosen.network().run(x.variable(), activations);
                if (y.requiresGrad()) Gradients.of(y, Tensor.full(backend, 1, y.shape().dims()));
            } else {
                try (var _ = Tape.off()) {
                    chosen.network().run(x, activations);
                }
            }
            return backend.memory().peak();
        }
    }

    @Test
    void operationsAreThoseOfTheFormula() {
        var run = DryRun.of(Subject.transformer(TRANSFORMER, VAE, 5, SIZE), SIZE);
        var step = run.passes().values().iterator().next();
        long tokens = 3 * 2 * 3; // frames, rows and columns of 2 x 2 patches of an eighth of 32 x 48
        // Four products for queries, keys, values and output, two of the attention itself.
        long attention = 2 * (4 * tokens * 24 * 24 + 2 * tokens * tokens * 24);
        assertEquals(attention,
                step.forward().get("blocks.1.self_attn").products() + step.forward().get("blocks.1.self_attn.norm_q").products()
                        + step.forward().get("blocks.1.self_attn.norm_k").products());
        assertEquals(2 * 2 * tokens * 24 * 48, step.forward().get("blocks.2.ffn").products());
        // The way back to the input alone: as much again for every product with weights, two and a half times for attention's own.
        assertTrue(step.back().products() > 2 * step.whole().products() && step.back().products() < 3 * step.whole().products());
        assertTrue(step.recomputed() < step.kept());
    }

    @ParameterizedTest
    @ValueSource(strings = {"wan-i2v-14b", "swin3d-b", "clip-vit-h-14"})
    void presetsRunDry(String name) {
        var subject = Subjects.named(name);
        var run = DryRun.of(subject, subject.usual());
        long parameters = run.asked().values().stream().mapToLong(Shape::size).sum();
        switch (name) {
            case "wan-i2v-14b" -> assertEquals(16_394_878_784L, parameters);
            case "swin3d-b" -> assertEquals(88_048_984L, parameters);
            default -> assertTrue(parameters > 630_000_000L, name + " has " + parameters);
        }
    }
}
