package otherwise.explain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import otherwise.backend.Backends;
import otherwise.tensor.Tensor;

class ClipTest {

    @Test
    void takesEveryStridethFrameFromTheOffsetOn() {
        try (var backend = Backends.open("cpu", 1);
                var _ = backend.scope()) {
            var frames = new float[7];
            for (int t = 0; t < 7; t++) frames[t] = t;
            var video = Tensor.of(backend, frames, 1, 1, 7, 1, 1);
            assertArrayEquals(new float[] {0, 2, 4}, new Classifier.Clip(3, 2).of(video, 0).floats());
            assertArrayEquals(new float[] {1, 3, 5}, new Classifier.Clip(3, 2).of(video, 1).floats());
            assertArrayEquals(new float[] {0, 2, 4, 6}, new Classifier.Clip(4, 2).of(video, 0).floats());
            assertArrayEquals(new float[] {1, 4}, new Classifier.Clip(2, 3).of(video, 1).floats());
            assertArrayEquals(new float[] {2, 3, 4}, new Classifier.Clip(3, 1).of(video, 2).floats());
            assertEquals(7, new Classifier.Clip(4, 2).span());
            var e = assertThrows(IllegalArgumentException.class, () -> new Classifier.Clip(4, 2).of(video, 1));
            assertTrue(e.getMessage().contains("7 frames"), e.getMessage());
        }
    }
}
