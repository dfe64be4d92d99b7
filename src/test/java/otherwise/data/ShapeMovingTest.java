package otherwise.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import otherwise.data.ShapeMoving.Split;

class ShapeMovingTest {
    private static final ShapeMoving MINI = new ShapeMoving(Preset.mini());

    @Test
    void aClipDependsOnSeedAndIndexAlone() {
        byte[] alone = bytes(MINI.scene(5, 40_001));
        for (int i = 0; i < 100; i++) bytes(MINI.scene(5, i));
        assertArrayEquals(alone, bytes(new ShapeMoving(Preset.mini(), 1).scene(5, 40_001)));
        assertNotEquals(MINI.scene(5, 40_001), MINI.scene(6, 40_001));
        assertNotEquals(MINI.scene(5, 40_001), MINI.scene(5, 40_002));
    }

    @Test
    void bothSidesOfTheSplitAreBalancedAndDisjoint() {
        int[] train = new int[4];
        int[] test = new int[4];
        for (long i = 0; i < 2000; i++) {
            (MINI.split(i) == Split.TRAIN ? train : test)[MINI.scene(1, i).label()]++;
        }
        assertArrayEquals(new int[] {400, 400, 400, 400}, train);
        assertArrayEquals(new int[] {100, 100, 100, 100}, test);
        for (long k = 0; k < 50; k++) {
            assertEquals(Split.TRAIN, MINI.split(MINI.index(Split.TRAIN, k)));
            assertEquals(Split.TEST, MINI.split(MINI.index(Split.TEST, k)));
            assertTrue(MINI.index(Split.TRAIN, k) < MINI.index(Split.TRAIN, k + 1));
        }
        assertEquals(4, MINI.index(Split.TEST, 0));
        assertEquals(5, MINI.index(Split.TRAIN, 4));
    }

    @Test
    void theWholeObjectStaysInsideWhicheverWayItGoes() {
        for (long i = 0; i < 200; i++) {
            for (int cls = 0; cls < 4; cls++) {
                Scene scene = MINI.scene(2, i).toward(cls);
                for (int t = 0; t < scene.frames(); t += scene.frames() - 1) {
                    float[] mask = scene.coverage(t);
                    for (int p = 0; p < 64; p++) {
                        float rim = mask[p] + mask[63 * 64 + p] + mask[p * 64] + mask[p * 64 + 63];
                        assertEquals(0, rim, "clip " + i + " toward " + cls + " frame " + t);
                    }
                }
            }
        }
    }

    @Test
    void allClassesShareTheFirstFrame() {
        Scene scene = MINI.scene(3, 7);
        byte[] first = Arrays.copyOf(bytes(scene), 64 * 64 * 3);
        for (int cls = 0; cls < 4; cls++) assertArrayEquals(first, Arrays.copyOf(bytes(scene.toward(cls)), 64 * 64 * 3));
        assertThrows(IllegalArgumentException.class, () -> scene.toward(4));
    }

    @Test
    void theObjectIsWhereTheSceneSaysAndMovesAsItsLabelSays() {
        int[] dx = {0, 0, -1, 1};
        int[] dy = {-1, 1, 0, 0};
        for (long i = 0; i < 60; i++) {
            Scene scene = MINI.scene(4, i);
            double[] start = centroid(scene.coverage(0));
            double[] end = centroid(scene.coverage(16));
            assertEquals(scene.x0(), start[0], 0.15, "clip " + i);
            assertEquals(scene.y0(), start[1], 0.15, "clip " + i);
            assertEquals(dx[scene.label()] * scene.travel(), end[0] - start[0], 0.15, "clip " + i);
            assertEquals(dy[scene.label()] * scene.travel(), end[1] - start[1], 0.15, "clip " + i);
        }
    }

    /// The background, seen outside the object, keeps its distance from the object's colour.
    @Test
    void theObjectStandsOut() {
        for (long i = 0; i < 200; i++) {
            Scene scene = MINI.scene(6, i);
            byte[] rgb = bytes(scene);
            float[] mask = scene.coverage(0);
            int inside = 0;
            for (int p = 0; p < mask.length; p++) {
                var pixel = new Rgb((rgb[3 * p] & 255) / 255.0, (rgb[3 * p + 1] & 255) / 255.0, (rgb[3 * p + 2] & 255) / 255.0);
                if (mask[p] == 0) assertTrue(pixel.distance(scene.color()) > ShapeMoving.CONTRAST - 0.01, "clip " + i);
                if (mask[p] == 1) assertEquals(0, pixel.distance(scene.color()), 0.01, "clip " + i);
                if (mask[p] == 1) inside++;
            }
            assertTrue(inside > 40, "clip " + i + " " + scene.shape() + ": " + inside);
        }
    }

    @Test
    void withoutVarietyEveryClipIsALightDiscOnDark() {
        var plain = new ShapeMoving(Preset.mini(), 0);
        for (long i = 0; i < 50; i++) {
            Scene scene = plain.scene(1, i);
            assertEquals(Shape.DISC, scene.shape());
            assertEquals(plain.scene(1, 0).color(), scene.color());
            assertEquals(plain.scene(1, 0).background().from(), scene.background().to());
        }
        assertThrows(IllegalArgumentException.class, () -> new ShapeMoving(Preset.mini(), 1.5));
        assertFalse(new ShapeMoving(Preset.mini(), 0.5).scene(1, 0).equals(plain.scene(1, 0)));
    }

    @Test
    void floatsAreTheBytesChannelFirst() {
        Scene scene = MINI.scene(8, 3);
        byte[] rgb = bytes(scene);
        float[] floats = new float[rgb.length + 5];
        scene.renderInto(floats, 5);
        int plane = rgb.length / 3;
        for (int i = 0; i < plane; i += 97) {
            for (int c = 0; c < 3; c++) assertEquals((rgb[3 * i + c] & 255) / 127.5f - 1, floats[5 + c * plane + i], 1e-6f);
        }
    }

    @Test
    void theClassesHaveNames() {
        assertEquals(2, ShapeMoving.classNamed("left"));
        var unknown = assertThrows(IllegalArgumentException.class, () -> ShapeMoving.classNamed("sideways"));
        assertEquals("no class 'sideways': up, down, left, right", unknown.getMessage());
    }

    private static byte[] bytes(Scene scene) {
        byte[] rgb = new byte[scene.frames() * scene.height() * scene.width() * 3];
        scene.renderInto(rgb, 0);
        return rgb;
    }

    private static double[] centroid(float[] mask) {
        double sum = 0;
        double x = 0;
        double y = 0;
        for (int p = 0; p < mask.length; p++) {
            sum += mask[p];
            int row = p / 64;
            x += mask[p] * (p % 64);
            y += mask[p] * row;
        }
        return new double[] {x / sum, y / sum};
    }
}
