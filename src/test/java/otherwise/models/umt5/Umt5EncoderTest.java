package otherwise.models.umt5;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import otherwise.autograd.Gradients;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.backend.Shape;
import otherwise.backend.ShapeException;
import otherwise.nn.Inventory;
import otherwise.nn.Weights;
import otherwise.support.Close;
import otherwise.support.Manifest;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

class Umt5EncoderTest {
    private static final Backend CPU = Backends.open("cpu", 0);

    @AfterAll
    static void close() {
        CPU.close();
    }

    private static Umt5Config config(boolean sharedPos) {
        return new Umt5Config(11, 12, 8, 20, 2, 2, 8, sharedPos);
    }

    /// Small random weights, variables.
    private static Map<String, Tensor> invented(Umt5Config config) {
        var random = Random.philox(3, 0);
        var made = new HashMap<String, Tensor>();
        Inventory.of(w -> Umt5Encoder.load(w, config)).forEach(
                (name, shape) -> made.put(name, random.normal(CPU, shape.dims()).times(0.4).variable()));
        return made;
    }

    /// Does the full-size encoder ask for exactly the tensors of the published checkpoint?
    @Test
    void isThePublishedOne() throws IOException {
        var asked = Inventory.of(w -> Umt5Encoder.load(w, Umt5Config.xxl()));
        assertEquals(5_680_910_336L, Inventory.elements(asked));
        assertEquals(Manifest.of("umt5_xxl_encoder.json", null), asked);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shapesTellTheConfiguration(boolean sharedPos) {
        var shapes = Inventory.of(w -> Umt5Encoder.load(w, config(sharedPos)));
        assertEquals(config(sharedPos), Umt5Config.ofShapes(shapes::get));
        assertEquals(sharedPos, shapes.containsKey("pos_embedding.embedding.weight"));
        assertEquals(!sharedPos, shapes.containsKey("blocks.1.pos_embedding.embedding.weight"));
        assertEquals(Umt5Config.xxl(), Umt5Config.ofShapes(Inventory.of(w -> Umt5Encoder.load(w, Umt5Config.xxl()))::get));
        shapes.remove("blocks.0.ffn.fc1.weight");
        var refused = assertThrows(IllegalArgumentException.class, () -> Umt5Config.ofShapes(shapes::get));
        assertTrue(refused.getMessage().contains("blocks.0.ffn.fc1.weight"), refused.getMessage());
    }

    @Test
    void configurationsSurviveJson() {
        var json = JsonMapper.builder().propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();
        assertEquals(config(true), Umt5Config.of(json.valueToTree(config(true))));
        assertThrows(IllegalArgumentException.class, () -> new Umt5Config(11, 12, 9, 20, 2, 2, 8, false));
        assertThrows(IllegalArgumentException.class, () -> new Umt5Config(11, 12, 8, 20, 2, 2, 7, false));
    }

    /// Padding changes nothing, whatever stands in it, so a text needs no padding: that is how prompts are encoded.
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void paddingIsNotSeen(boolean sharedPos) {
        var encoder = Umt5Encoder.load(Weights.of(invented(config(sharedPos))), config(sharedPos));
        var alone = encoder.forward(Tensor.indices(CPU, new long[] {4, 7, 1}, 1, 3), null);
        var ids = Tensor.indices(CPU, new long[] {4, 7, 1, 0, 0, 9, 8, 7, 6, 5}, 2, 5);
        var padded = encoder.forward(ids, new long[] {3, 5});
        Close.check("cut", padded.slice(0, 0, 1).slice(1, 0, 3).doubles(), alone.doubles(), 1e-5);
        var other = encoder.forward(Tensor.indices(CPU, new long[] {9, 8, 7, 6, 5}, 1, 5), null);
        Close.check("full", padded.slice(0, 1, 2).doubles(), other.doubles(), 1e-5);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void inPiecesIsTheSame(boolean sharedPos) {
        var weights = invented(config(sharedPos));
        var encoder = Umt5Encoder.load(Weights.of(weights), config(sharedPos));
        var ids = Tensor.indices(CPU, new long[] {4, 7, 10, 1}, 1, 4);
        var done = new int[2];
        try (var _ = CPU.scope()) {
            var pieces = Umt5Encoder.encodeInPieces(Weights.of(weights), config(sharedPos), encoder.embed(ids), i -> done[i]++);
            assertArrayEquals(encoder.forward(ids, null).floats(), pieces.floats());
        }
        assertArrayEquals(new int[] {1, 1}, done);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void everyWeightLearns(boolean sharedPos) {
        var weights = invented(config(sharedPos));
        var encoder = Umt5Encoder.load(Weights.of(weights), config(sharedPos));
        var ids = Tensor.indices(CPU, new long[] {4, 7, 10, 1}, 1, 4);
        var gradients = Gradients.of(encoder.forward(ids, null).square().times(0.5).sum());
        weights.forEach((name, w) -> assertTrue(
                Arrays.stream(gradients.to(w).doubles()).anyMatch(g -> g != 0), name + ": its gradient is zero throughout"));
        // The row of an id that does not occur has none.
        assertTrue(Arrays.stream(gradients.to(weights.get("token_embedding.weight")).slice(0, 5, 6).doubles()).allMatch(g -> g == 0));
    }

    @Test
    void saysWhatDoesNotFit() {
        var encoder = Umt5Encoder.load(Weights.of(invented(config(false))), config(false));
        var ids = Tensor.indices(CPU, new long[] {4, 11}, 1, 2);
        var unknown = assertThrows(ShapeException.class, () -> encoder.forward(ids, null));
        assertTrue(unknown.getMessage().contains("id 11 of a vocabulary of 11"), unknown.getMessage());
        var known = Tensor.indices(CPU, new long[] {4, 1}, 1, 2);
        assertThrows(ShapeException.class, () -> encoder.forward(known, new long[] {3}));
        assertEquals(Shape.of(1, 2, 12), encoder.forward(known, null).shape());
    }
}
