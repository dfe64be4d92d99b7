package otherwise.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.backend.DType;
import otherwise.support.Reference;

class WeightFileTest {
    @TempDir
    private Path folder;

    @Test
    void everyTypeReachesTheDeviceBelowItsPrefix() throws IOException {
        var path = folder.resolve("some.safetensors");
        new SafetensorsWriter()
                .add("net/a", "F32", new long[] {2, 2}, new float[] {1, 2, 3, 4})
                .add("net/b", "BF16", new long[] {2}, new float[] {-1.5f, 0.25f})
                .add("net/steps", "I32", new long[] {}, new long[] {7})
                .add("other", "F32", new long[] {1}, new float[] {9})
                .write(path);
        var backend = new Reference();
        try (var file = TensorFile.open(path)) {
            var net = new WeightFile(file, backend, "net/");
            assertEquals("f64[2, 2]", net.apply("a").toString());
            assertArrayEquals(new double[] {1, 2, 3, 4}, net.apply("a").doubles());
            assertArrayEquals(new double[] {-1.5, 0.25}, net.apply("b").doubles());
            assertEquals(DType.I64, net.apply("steps").type());
            assertTrue(net.has("b"));
            assertFalse(net.has("other"));
            assertNull(net.apply("other"));
            assertEquals(9, new WeightFile(file, backend).apply("other").item());
        }
    }
}
