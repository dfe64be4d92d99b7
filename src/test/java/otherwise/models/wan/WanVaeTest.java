package otherwise.models.wan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import otherwise.autograd.Activations;
import otherwise.autograd.Gradients;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.nn.Weights;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

class WanVaeTest {
    private static final Backend CPU = Backends.open("cpu", 0);
    private static final LatentScale SCALE = new LatentScale(List.of(0.1f, -0.2f, 0.3f), List.of(0.7f, 1.5f, 2f));

    private final Invented weights = new Invented(CPU);
    private final Random random = Random.philox(8, 0);

    @AfterAll
    static void close() {
        CPU.close();
    }

    private WanVae vae(List<Double> attention, List<Boolean> halves) {
        return WanVae.load(Weights.of(weights), new WanVaeConfig(4, 3, List.of(1, 2, 2), 1, attention, halves), SCALE);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 5, 9, 13, 15})
    void piecesEqualTheWhole(int frames) {
        for (var halves : List.of(List.of(true, true), List.of(false, true), List.of(true, false), List.of(false, false))) {
            var vae = vae(List.of(0.5), halves);
            var video = random.normal(CPU, 2, 3, frames, 8, 12);
            var latent = vae.encode(video);
            assertArrayEquals(latent.shape().dims(), new long[] {2, 3, latentFrames(frames, vae), 2, 3});
            close(latent, vae.encodeInPieces(video));
            close(vae.decode(latent), vae.decodeInPieces(latent));
        }
    }

    private static int latentFrames(int frames, WanVae vae) {
        return 1 + (frames - 1) / 4 * 4 / vae.config().temporalStride();
    }

    private static void close(Tensor expected, Tensor actual) {
        assertArrayEquals(expected.shape().dims(), actual.shape().dims());
        assertArrayEquals(expected.doubles(), actual.doubles(), 1e-5 * max(expected));
    }

    private static double max(Tensor x) {
        double max = 0;
        for (double v : x.doubles()) max = Math.max(max, Math.abs(v));
        return max;
    }

    /// Nothing that comes later may change a frame.
    @Test
    void noFrameSeesTheFuture() {
        var vae = vae(List.of(), List.of(true, true));
        var z = random.normal(CPU, 1, 3, 4, 2, 2);
        var other = Tensor.concat(2, z.slice(2, 0, 3), random.normal(CPU, 1, 3, 1, 2, 2));
        var a = vae.decode(z);
        var b = vae.decode(other);
        assertArrayEquals(a.slice(2, 0, 9).floats(), b.slice(2, 0, 9).floats());
        assertEquals(13, a.dim(2));
    }

    @Test
    void recomputingGivesTheSameBits() {
        var vae = vae(List.of(1.0), List.of(true, true));
        var video = random.normal(CPU, 1, 3, 5, 8, 8).variable();
        var wanted = new ArrayList<Tensor>(weights.made.values());
        wanted.add(video);
        var results = new ArrayList<List<float[]>>();
        for (var activations : Activations.values()) {
            var again = vae.decode(vae.encode(video, activations), activations);
            var gradients = Gradients.of(again.square().sum());
            var all = new ArrayList<float[]>();
            all.add(again.floats());
            for (var variable : wanted) all.add(gradients.to(variable).floats());
            results.add(all);
        }
        for (int i = 0; i < results.getFirst().size(); i++) assertArrayEquals(results.get(0).get(i), results.get(1).get(i));
    }

    @Test
    void aClosedStreamHoldsNoMemory() {
        var vae = vae(List.of(), List.of(true, true));
        var z = random.normal(CPU, 1, 3, 3, 2, 2);
        long before = CPU.memory().used();
        try (var _ = CPU.scope();
                var stream = vae.decoding()) {
            for (int t = 0; t < 3; t++) {
                // What the layers remember must outlive the caller's scope of a piece.
                try (var _ = CPU.scope()) {
                    stream.next(z.slice(2, t, t + 1));
                }
            }
        }
        assertEquals(before, CPU.memory().used());
    }

    @Test
    void theScaleIsUndone() {
        var z = random.normal(CPU, 1, 3, 2, 2, 2);
        assertArrayEquals(z.floats(), SCALE.normalize(SCALE.denormalize(z)).floats(), 1e-5f);
    }

    @Test
    void refusesThreeHalvingsOfTime() {
        assertThrows(
                IllegalArgumentException.class,
                () -> new WanVaeConfig(4, 3, List.of(1, 1, 1, 1), 1, List.of(), List.of(true, true, true)));
    }

    @Test
    void theFirstFrameIsFollowedByGrey() {
        var vae = vae(List.of(), List.of(true, true));
        var frame = random.normal(CPU, 1, 3, 8, 8);
        var y = I2vConditioning.of(vae, frame, 9);
        assertArrayEquals(new long[] {1, 4 + 3, 3, 2, 2}, y.shape().dims());
        for (int c = 0; c < 4; c++) {
            assertArrayEquals(new float[] {1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}, y.slice(1, c, c + 1).floats());
        }
        var grey = Tensor.concat(2, frame.reshape(1, 3, 1, 8, 8), Tensor.zeros(CPU, 1, 3, 8, 8, 8));
        close(vae.encode(grey), y.slice(1, 4, 7));
        close(y, I2vConditioning.of(vae, frame.variable(), 9));
    }
}
