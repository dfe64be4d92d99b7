package otherwise.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import otherwise.io.Video;

class DifferenceTest {

    /// Two frames of 3x2 in which, at frame 1, the pixel of column 2 and row 0 goes from black to (30, 60, 255).
    private static final Video BLACK = new Video(2, 2, 3, 10, new byte[36]);
    private static final Video DOT = dot();

    private static Video dot() {
        var rgb = new byte[36];
        rgb[18 + 6] = 30;
        rgb[18 + 7] = 60;
        rgb[18 + 8] = (byte) 255;
        return new Video(2, 2, 3, 10, rgb);
    }

    @Test
    void theDifferenceStandsWhereAndWhenSomethingChanged() {
        var difference = Difference.of(BLACK, DOT);
        assertArrayEquals(new byte[] {0, 0, 0, 0, 0, 0, 0, 0, 115, 0, 0, 0}, difference.amounts());
        assertArrayEquals(difference.amounts(), Difference.of(DOT, BLACK).amounts());
        assertArrayEquals(new double[] {0, 115 / 6.0}, difference.perFrame());
        assertArrayEquals(new byte[] {0, 0, 0, 0, 0, 115}, difference.columnsOverTime());
        assertArrayEquals(new byte[] {0, 115, 0, 0}, difference.rowsOverTime());
    }

    @Test
    void clipsOfUnlikeSizeHaveNone() {
        assertThrows(IllegalArgumentException.class, () -> Difference.of(BLACK, BLACK.upscaled(2)));
    }

    @Test
    void theScaleStartsBlackAndGrowsLighter() {
        assertEquals(0, HeatScale.color(0));
        assertEquals(0xfdf6d0, HeatScale.color(1));
        assertEquals(0xfdf6d0, HeatScale.color(7));
        double before = -1;
        for (int i = 0; i <= 255; i++) {
            int color = HeatScale.color(i / 255.0);
            double light = 0.2126 * linear(color >> 16) + 0.7152 * linear(color >> 8 & 255) + 0.0722 * linear(color & 255);
            assertTrue(light > before, "at " + i);
            before = light;
        }
    }

    private static double linear(int channel) {
        double v = channel / 255.0;
        return v <= 0.04045 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4);
    }
}
