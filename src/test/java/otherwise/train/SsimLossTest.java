package otherwise.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;
import otherwise.io.Video;
import otherwise.metrics.Ssim;
import otherwise.support.GradCheck;
import otherwise.support.Reference;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

class SsimLossTest {
    private final Reference backend = new Reference();

    /// On the bytes of two videos: what the metric says.
    @Test
    void isWhatTheMetricMeasures() {
        var a = video(1);
        var b = video(2);
        double loss = SsimLoss.of(backend, 13, 17).between(tensor(a), tensor(b)).item();
        assertEquals(1 - Ssim.of(a, b), loss, 1e-6);
        assertEquals(0, SsimLoss.of(backend, 13, 17).between(tensor(a), tensor(a)).item(), 1e-12);
    }

    @Test
    void hasTheRightGradient() {
        var y = GradCheck.normal(backend, 2, 2, 12, 13).times(0.3);
        var ssim = SsimLoss.of(backend, 12, 13);
        GradCheck.check(x -> ssim.between(x.get(0), y), List.of(GradCheck.normal(backend, 1, 2, 12, 13).times(0.3)));
    }

    private static Video video(int seed) {
        var noise = Random.philox(seed, 0).uniform(3 * 2 * 13 * 17);
        var x = new float[noise.length];
        for (int i = 0; i < x.length; i++) x[i] = 2 * noise[i] - 1;
        return Video.fromChannelsFirst(x, 2, 13, 17, 8);
    }

    private Tensor tensor(Video v) {
        var x = new double[3 * v.frames() * v.height() * v.width()];
        int plane = v.frames() * v.height() * v.width();
        for (int i = 0; i < plane; i++) for (int c = 0; c < 3; c++) x[c * plane + i] = (v.rgb()[i * 3 + c] & 255) / 127.5 - 1;
        return Tensor.of(backend, x, 3, v.frames(), v.height(), v.width());
    }
}
