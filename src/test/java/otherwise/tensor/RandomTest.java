package otherwise.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/// A seed means the same numbers as in PyTorch, and Philox gives its authors' test vectors.
class RandomTest {

    private static float[] floats(JsonNode list) {
        var x = new float[list.size()];
        for (int i = 0; i < x.length; i++) x[i] = (float) list.get(i).asDouble();
        return x;
    }

    private static JsonNode fixture() throws IOException {
        try (var in = RandomTest.class.getResourceAsStream("/fixtures/torch_randn.json")) {
            return new ObjectMapper().readTree(in);
        }
    }

    @Test
    void torchSeedsMeanTheSameNumbers() throws IOException {
        for (var c : fixture().get("normal")) {
            var random = Random.torch(c.get("seed").asLong());
            for (var draw : c.get("draws"))
                assertArrayEquals(floats(draw), random.normal(draw.size()), 3e-6f, c.get("seed") + ", " + draw.size());
        }
        var uniform = fixture().get("uniform");
        assertArrayEquals(floats(uniform.get("draw")), Random.torch(uniform.get("seed").asLong()).uniform(9), 0);
    }

    @Test
    void philoxGivesTheTestVectorsOfRandom123() {
        assertArrayEquals(new int[] {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, Philox.words(new int[4], new int[2]));
        int ones = -1;
        assertArrayEquals(
                new int[] {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
                Philox.words(new int[] {ones, ones, ones, ones}, new int[] {ones, ones}));
        assertArrayEquals(
                new int[] {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
                Philox.words(new int[] {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, new int[] {0xa4093822, 0x299f31d0}));
    }

    @Test
    void normalNumbersAreNormal() {
        var z = Random.philox(5, 9).normal(200_000);
        double mean = 0;
        double square = 0;
        int beyondTwo = 0;
        for (float v : z) {
            mean += v / z.length;
            square += v * (double) v / z.length;
            if (Math.abs(v) > 2) beyondTwo++;
        }
        assertEquals(0, mean, 0.01);
        assertEquals(1, square, 0.02);
        assertEquals(0.0455, beyondTwo / (double) z.length, 0.003);
    }
}
