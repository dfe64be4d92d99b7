package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.DeviceException;

/// The emulated tensor cores against plain products: where every lane's elements lie is what NVIDIA's PTX manual (9.7.14) says.
@EnabledIf("otherwise.support.Emulated#present")
class TensorCoresTest extends DeviceMemory {
    private static final String FILE = "tensor_cores";
    private final SplittableRandom random = new SplittableRandom(7);

    TensorCoresTest() {
        super(new EmulatedDriver(1));
    }

    /// Eighths below 8: exact as bf16, and so are their products and sums as floats.
    private float[] numbers(int n) {
        var all = new float[n];
        for (int i = 0; i < n; i++) all[i] = random.nextInt(-32, 32) / 8f;
        return all;
    }

    private static void assertProduct(float[] y, float[] a, float[] b, int terms, boolean byColumns) {
        for (int i = 0; i < 16; i++) {
            for (int j = 0; j < 8; j++) {
                float sum = 0;
                for (int k = 0; k < terms; k++) sum += a[i * terms + k] * (byColumns ? b[j * terms + k] : b[k * 8 + j]);
                assertEquals(sum, y[i * 8 + j], "row " + i + ", column " + j);
            }
        }
    }

    @Test
    void productsOfBf16() {
        for (int byColumns = 0; byColumns < 2; byColumns++) {
            var a = numbers(256);
            var b = numbers(128);
            var y = fresh(128);
            kernels.launch(FILE, "product_bf16", Grid.of(1, 32).shared(3 << 9),
                    new Arguments().with(y).with(written(a)).with(written(b)).with(byColumns));
            assertProduct(read(y), a, b, 16, byColumns == 1);
        }
    }

    @Test
    void productsOfTf32() {
        var a = numbers(128);
        var b = numbers(64);
        var y = fresh(128);
        kernels.launch(FILE, "product_tf32", Grid.of(1, 32), new Arguments().with(y).with(written(a)).with(written(b)));
        assertProduct(read(y), a, b, 8, false);
    }

    @Test
    void copiesComeInTheirTime() {
        var x = numbers(64);
        var y = fresh(256);
        kernels.launch(FILE, "copies", Grid.of(1, 32).shared(1024), new Arguments().with(y).with(written(x)).with(64).with(0));
        var got = read(y);
        for (int i = 0; i < 256; i++) assertEquals(i < 64 ? x[i] : 0, got[i], "element " + i);
        says("copies", Grid.of(1, 32).shared(1024), new Arguments().with(y).with(written(x)).with(64).with(1), "never written");
    }

    private void says(String kernel, Grid grid, Arguments arguments, String what) {
        var message = assertThrows(DeviceException.class, () -> kernels.launch(FILE, kernel, grid, arguments)).getMessage();
        assertTrue(message.contains(what), message);
    }

    @Test
    void whatNoDeviceLetsPass() {
        says("misaligned_row", Grid.of(1, 32).shared(600), new Arguments().with(fresh(32)), "not aligned to 16 bytes");
        says("half_a_warp_multiplies", Grid.of(1, 32), new Arguments().with(fresh(32)), "an instruction of all lanes");
        says("half_a_warp_multiplies", Grid.of(1, 16), new Arguments().with(fresh(32)), "of which not all exist");
    }

    @Test
    void eightRowsLieInEightPlaces() {
        for (int chunk = 0; chunk < 8; chunk++) {
            var y = fresh(32);
            kernels.launch(FILE, "places", Grid.of(1, 32), new Arguments().with(y).with(chunk));
            var places = read(y);
            for (int first = 0; first < 32; first += 8) {
                var quarters = new HashSet<Integer>();
                for (int i = 0; i < 8; i++) quarters.add((int) places[first + i] % 8);
                assertEquals(8, quarters.size(), "rows from " + first + ", chunk " + chunk);
            }
        }
    }
}
