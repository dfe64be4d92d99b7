package otherwise.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.Backend;
import otherwise.backend.DType;
import otherwise.backend.Philox4x32;
import otherwise.backend.cpu.CpuBackend;
import otherwise.support.Emulated;
import otherwise.support.Reference;

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
        assertArrayEquals(new int[] {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, Philox4x32.words(new int[4], new int[2]));
        int ones = -1;
        assertArrayEquals(
                new int[] {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
                Philox4x32.words(new int[] {ones, ones, ones, ones}, new int[] {ones, ones}));
        assertArrayEquals(
                new int[] {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
                Philox4x32.words(new int[] {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, new int[] {0xa4093822, 0x299f31d0}));
    }

    /// Runs are resumed, and results reproduced, across versions: a stream stays what it is. An odd draw uses its last counter up.
    @Test
    void aStreamStaysWhatItIs() {
        var random = Random.philox(5, 9);
        assertArrayEquals(new float[] {0.09564411f, 0.99763054f, -0.7033912f, -0.4922753f, -0.737102f}, random.normal(5));
        assertArrayEquals(new float[] {0.2544983f, 0.36352122f, 0.43034375f}, random.uniform(3));
        assertArrayEquals(new float[] {-1.6786399f, 0.2481525f}, random.normal(2));
    }

    /// Draws of odd sizes, one after the other, some by the device and some by the host, are what the host draws by itself.
    @Test
    void aDeviceDrawsWhatTheHostDraws() {
        int[] sizes = {1, 2, 3, 4, 5, 7, 4097, 100_003};
        var devices = new ArrayList<Backend>(List.of(new Reference(), new CpuBackend(1), new CpuBackend(3)));
        Emulated.device(DType.F32).ifPresent(devices::add);
        for (var device : devices) {
            var host = Random.philox(-5, 1L << 40);
            var mixed = Random.philox(-5, 1L << 40);
            try (var _ = device.scope()) {
                for (int n : sizes) {
                    assertArrayEquals(host.uniform(n), mixed.uniform(device, n).floats(), device.name() + ", " + n);
                    same(host.normal(n), mixed.normal(device, n).floats(), device.name().startsWith("cuda"), device.name() + ", " + n);
                    assertArrayEquals(host.normal(3), mixed.normal(3), device.name() + " after " + n);
                }
            }
        }
    }

    /// Bit for bit; where another library made the logarithms, a number in ten thousand may be the next float.
    private static void same(float[] expected, float[] actual, boolean nearly, String what) {
        int apart = 0;
        for (int i = 0; i < expected.length; i++) {
            if (expected[i] == actual[i]) continue;
            apart++;
            assertTrue(nearly && Math.abs(expected[i] - actual[i]) <= Math.ulp(expected[i]),
                    what + ", element " + i + ": " + actual[i] + " is not " + expected[i]);
        }
        assertEquals(expected.length, actual.length, what);
        assertTrue(apart <= expected.length / 10_000, what + ": " + apart + " differ");
    }

    @Test
    @EnabledIf("otherwise.support.Emulated#present")
    void shortNumbersAreTheRoundedOnes() {
        var device = Emulated.device(DType.BF16).orElseThrow();
        try (var _ = device.scope()) {
            var rounded = Tensor.of(device, Random.philox(1, 2).normal(999), 999).floats();
            assertArrayEquals(rounded, Random.philox(1, 2).normal(device, 999).floats());
            var uniform = Tensor.of(device, Random.philox(1, 2).uniform(999), 999).floats();
            assertArrayEquals(uniform, Random.philox(1, 2).uniform(device, 999).floats());
        }
    }

    @Test
    void torchsStreamIsDrawnOnTheHost() {
        try (var device = new CpuBackend(1); var _ = device.scope()) {
            assertArrayEquals(Random.torch(3).normal(30), Random.torch(3).normal(device, 5, 6).floats());
            assertArrayEquals(Random.torch(3).uniform(30), Random.torch(3).uniform(device, 5, 6).floats());
        }
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
