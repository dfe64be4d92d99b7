package otherwise.models.wan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import otherwise.autograd.Activations;
import otherwise.autograd.Gradients;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.backend.Shape;
import otherwise.backend.ShapeException;
import otherwise.nn.Trace;
import otherwise.nn.Weights;
import otherwise.tensor.Random;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

class WanTransformerTest {
    private static final Backend CPU = Backends.open("cpu", 0);
    private static final WanConfig CONFIG = new WanConfig("i2v", List.of(1, 2, 2), 6, 7, 24, 40, 8, 10, 3, 2, 2, true, true, 1e-6, 12);

    private final Invented weights = new Invented(CPU);
    private final WanTransformer model = WanTransformer.load(Weights.of(weights), CONFIG);
    private final Random random = Random.philox(6, 0);

    @AfterAll
    static void close() {
        CPU.close();
    }

    private Tensor normal(long... dims) {
        return random.normal(CPU, dims);
    }

    @Test
    void streamedBlocksGiveTheSameBitsAndAreFreed() {
        var x = normal(1, 3, 2, 4, 6);
        var text = normal(1, 4, 10);
        var seen = normal(1, 5, 12);
        var told = normal(1, 4, 2, 4, 6);
        var wish = model.forward(x, new double[] {700}, text, seen, told).floats();
        var freshly = Weights.of(new Weights.Source() {
            @Override
            public Tensor tensor(String name, Shape expected) {
                return weights.made.get(name).detach().copy();
            }

            @Override
            public boolean has(String name) {
                return weights.made.containsKey(name);
            }
        });
        try (var _ = CPU.scope();
                var _ = Tape.off()) {
            var streamed = WanTransformer.stream(freshly, CONFIG);
            long before = CPU.memory().used();
            long block;
            try (var _ = CPU.scope()) {
                streamed.blocks().getFirst();
                block = CPU.memory().used() - before;
            }
            assertTrue(block > 0);
            assertEquals(before, CPU.memory().used());
            var v = streamed.forward(x, new double[] {700}, text, seen, told, Activations.RECOMPUTE);
            assertArrayEquals(wish, v.floats());
        }
    }

    @Test
    void recomputingGivesTheSameBits() {
        var inputs = List.of(
                normal(2, 3, 2, 4, 6).variable(), normal(2, 4, 10).variable(), normal(2, 5, 12).variable(),
                normal(2, 4, 2, 4, 6).variable());
        var wanted = new ArrayList<>(inputs);
        wanted.addAll(weights.made.values());
        var results = new ArrayList<List<float[]>>();
        for (var activations : Activations.values()) {
            var v = model.forward(inputs.get(0), new double[] {700, 3.25}, inputs.get(1), inputs.get(2), inputs.get(3), activations);
            var gradients = Gradients.of(v.square().sum());
            var all = new ArrayList<float[]>();
            all.add(v.floats());
            for (var variable : wanted) all.add(gradients.to(variable).floats());
            results.add(all);
        }
        for (int i = 0; i < results.getFirst().size(); i++) assertArrayEquals(results.get(0).get(i), results.get(1).get(i));
        assertTrue(results.getFirst().stream().allMatch(WanTransformerTest::isAlive), "a gradient is zero throughout");
    }

    private static boolean isAlive(float[] values) {
        for (float v : values) if (v != 0) return true;
        return false;
    }

    /// The modulated norm is one operation; who listens sees the norm in it nevertheless, who only follows lets nothing be computed.
    @Test
    void theNormInsideIsShown() {
        var seen = new TreeMap<String, float[]>();
        var wish = new TreeMap<String, float[]>();
        try (var _ = Trace.listen((name, x) -> {
            seen.put(name, x.floats());
            if (name.equals("blocks.0")) wish.put("blocks.1.norm1", x.layerNorm(null, null, CONFIG.eps()).floats());
        })) {
            run();
        }
        assertArrayEquals(wish.get("blocks.1.norm1"), seen.get("blocks.1.norm1"));
        var followed = new TreeSet<String>();
        try (var _ = Trace.follow(followed::add)) {
            run();
        }
        assertEquals(seen.keySet(), followed);
    }

    /// Norm and turn of queries and keys are one operation: who listens sees both, and what is turned is what was normalised.
    @Test
    void theNormBeforeTheTurnIsShown() {
        var seen = new TreeMap<String, float[]>();
        try (var _ = Trace.listen((name, x) -> seen.put(name, x.floats()))) {
            run();
        }
        var positions = Positions.of(CPU, CONFIG.headDim(), 2, 2, 3);
        for (var name : List.of("q", "k")) {
            var normalised = Tensor.of(CPU, seen.get("blocks.1.self_attn.norm_" + name), 1, 12, CONFIG.numHeads(), CONFIG.headDim());
            assertArrayEquals(positions.turn(normalised, null).floats(), seen.get("blocks.1.self_attn." + name + "_rope"));
        }
    }

    private void run() {
        model.forward(normal(1, 3, 2, 4, 6), new double[] {700}, normal(1, 4, 10), normal(1, 5, 12), normal(1, 4, 2, 4, 6));
    }

    @Test
    void aBatchIsItsSamplesSideBySide() {
        var x = normal(2, 3, 2, 4, 6);
        var text = normal(2, 4, 10);
        var clip = normal(2, 5, 12);
        var y = normal(2, 4, 2, 4, 6);
        var both = model.forward(x, new double[] {900, 10}, text, clip, y);
        for (int b = 0; b < 2; b++) {
            double[] t = {b == 0 ? 900 : 10};
            var one = model.forward(part(x, b), t, part(text, b), part(clip, b), part(y, b));
            assertArrayEquals(one.floats(), part(both, b).floats(), 1e-5f);
        }
    }

    @Test
    void oneTextServesAllSamples() {
        var x = normal(2, 3, 1, 4, 4);
        var text = normal(1, 6, 10);
        var clip = normal(1, 5, 12);
        var y = normal(1, 4, 1, 4, 4);
        var shared = model.forward(x, new double[] {500, 500}, text, clip, y);
        var each = model.forward(x, new double[] {500, 500}, text.expand(2, 6, 10), clip.expand(2, 5, 12), y.expand(2, 4, 1, 4, 4));
        assertArrayEquals(each.floats(), shared.floats(), 1e-5f);
    }

    /// Padding tokens are computed but never looked at, so how many there are changes nothing.
    @ParameterizedTest
    @ValueSource(longs = {12, 13, 40})
    void paddingIsNotSeen(long length) {
        var x = List.of(normal(3, 2, 4, 6), normal(3, 1, 4, 4));
        var text = List.of(normal(6, 10), normal(2, 10));
        var clip = normal(2, 5, 12);
        var y = List.of(normal(4, 2, 4, 6), normal(4, 1, 4, 4));
        var together = model.forward(x, new double[] {800, 20}, text, clip, y, length, Activations.KEEP);
        for (int b = 0; b < 2; b++) {
            double[] t = {b == 0 ? 800 : 20};
            var alone = model.forward(
                    Tensor.stack(List.of(x.get(b))), t, Tensor.stack(List.of(text.get(b))), part(clip, b), Tensor.stack(List.of(y.get(b))));
            assertArrayEquals(alone.floats(), together.get(b).floats(), 1e-5f);
        }
    }

    @Test
    void saysWhatDoesNotFit() {
        double[] t = {1};
        var text = normal(1, 4, 10);
        var clip = normal(1, 5, 12);
        var y = normal(1, 4, 1, 4, 4);
        says("does not divide into patches of 1 x 2 x 2", () -> model.forward(normal(1, 3, 1, 5, 4), t, text, clip, normal(1, 4, 1, 5, 4)));
        says("needs image features", () -> model.forward(normal(1, 3, 1, 4, 4), t, text, null, y));
        says("7 text tokens; the model takes 6", () -> model.forward(normal(1, 3, 1, 4, 4), t, normal(1, 7, 10), clip, y));
        says("2 times for a batch of 1", () -> model.forward(normal(1, 3, 1, 4, 4), new double[] {1, 2}, text, clip, y));
        says("more than 3 tokens", () -> model.forward(
                List.of(normal(3, 1, 4, 4)), t, List.of(normal(4, 10)), clip, List.of(normal(4, 1, 4, 4)), 3, Activations.KEEP));
    }

    private static void says(String what, org.junit.jupiter.api.function.Executable wrong) {
        var message = assertThrows(ShapeException.class, wrong).getMessage();
        assertTrue(message.contains(what), message);
    }

    @Test
    void theConfigurationRefusesNonsense() {
        assertThrows(
                IllegalArgumentException.class,
                () -> new WanConfig("v2i", List.of(1, 2, 2), 6, 7, 24, 40, 8, 10, 3, 2, 2, true, true, 1e-6, 12));
        assertThrows(
                IllegalArgumentException.class,
                () -> new WanConfig("i2v", List.of(1, 2, 2), 6, 7, 25, 40, 8, 10, 3, 2, 2, true, true, 1e-6, 12));
        assertEquals(128, WanConfig.i2v14B().headDim());
    }

    /// As our model files write it.
    @Test
    void configurationsSurviveJson() {
        var json = JsonMapper.builder().propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();
        assertEquals(CONFIG, WanConfig.of(json.valueToTree(CONFIG)));
        assertEquals(WanVaeConfig.wan2_1(), WanVaeConfig.of(json.valueToTree(WanVaeConfig.wan2_1())));
    }

    private static Tensor part(Tensor x, int b) {
        return x.slice(0, b, b + 1);
    }
}
