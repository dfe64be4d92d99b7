package otherwise.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import otherwise.io.Video;

/// The tracker against clips of which the truth is known: good ones must pass, also when degraded, and spoiled ones must not.
class TrackerTest {
    private static final ShapeMoving MINI = new ShapeMoving(Preset.mini());
    private static final int CLIPS = 100;

    @Test
    void cleanClipsPassAndTheCentroidIsRight() {
        assertPasses(0.99, video -> video);
        for (int i = 0; i < CLIPS; i++) {
            Scene scene = MINI.scene(3, i);
            Track track = Tracker.track(scene.render());
            for (int t = 0; t < scene.frames(); t++) {
                assertEquals(0, Math.hypot(track.x()[t] - scene.x(t), track.y()[t] - scene.y(t)), 0.5, "clip " + i);
            }
        }
    }

    @Test
    void blurredClipsPass() {
        assertPasses(0.97, TrackerTest::blurred);
    }

    @Test
    void noisyClipsPass() {
        assertPasses(0.97, TrackerTest::noisy);
    }

    @Test
    void quantisedClipsPass() {
        assertPasses(0.97, TrackerTest::quantised);
    }

    @Test
    void largeClipsAreMeasuredInTheirOwnPixels() {
        var paper = new ShapeMoving(new Preset("wide", 9, 224, 256, 16, 10, 4, 1));
        for (int i = 0; i < 5; i++) {
            Scene scene = paper.scene(1, i);
            Track track = Tracker.track(scene.render());
            assertTrue(track.moves(scene.label()) && track.keptObject(), "clip " + i);
            assertEquals(scene.x0(), track.x()[0], 1, "clip " + i);
            assertEquals(scene.y0(), track.y()[0], 1, "clip " + i);
        }
    }

    @Test
    void theMaskCoversTheObjectAndLittleElse() {
        for (int i = 0; i < 20; i++) {
            Scene scene = MINI.scene(5, i);
            boolean[][] object = Tracker.track(scene.render()).object();
            for (int t = 0; t < scene.frames(); t += 8) {
                float[] truth = scene.coverage(t);
                int missed = 0;
                int marked = 0;
                int covered = 0;
                for (int p = 0; p < truth.length; p++) {
                    if (truth[p] > 0.5 && !object[t][p]) missed++;
                    if (object[t][p]) marked++;
                    if (truth[p] > 0) covered++;
                }
                assertEquals(0, missed, "clip " + i + " frame " + t);
                assertTrue(marked < 2 * covered, "clip " + i + " frame " + t);
            }
        }
    }

    @Test
    void nothingThatStandsStillHasADirection() {
        assertRejects(scene -> changed(scene, scene.shape(), scene.color(), 1, 0, 0, 0).render());
        Track track = Tracker.track(changed(MINI.scene(1, 0), Shape.DISC, MINI.scene(1, 0).color(), 1, 0, 0, 0).render());
        assertEquals(0, track.components());
        assertEquals(-1, track.direction());
    }

    @Test
    void anObjectThatFadesIsNotKept() {
        assertRejects(scene -> frames(scene, t -> changed(
                scene, scene.shape(), scene.color().mix(scene.background().from(), Math.min(1, t / 8.0)), 1, 0, 0, scene.travel())));
    }

    @Test
    void anObjectThatChangesColourIsNotKept() {
        assertRejects(scene -> {
            Rgb c = scene.color();
            return frames(scene, t -> changed(scene, scene.shape(), t < 8 ? c : new Rgb(c.g(), c.b(), c.r()), 1, 0, 0, scene.travel()));
        });
    }

    @Test
    void anObjectThatGrowsIsNotKept() {
        assertRejects(scene -> frames(scene, t -> changed(scene, scene.shape(), scene.color(), 1 + t / 40.0, 0, 0, scene.travel())));
    }

    @Test
    void aShapeThatTurnsIntoAnotherIsNotKept() {
        var shapes = Shape.values();
        for (int s = 0; s < shapes.length; s++) {
            Shape from = shapes[s];
            Shape to = shapes[(s + 1) % shapes.length];
            assertRejects(scene -> frames(scene, t -> changed(scene, t < 8 ? from : to, scene.color(), 1, 0, 0, scene.travel())));
        }
    }

    @Test
    void aSidewaysJumpIsNoStraightMotion() {
        assertRejects(scene -> frames(scene, t -> {
            double aside = t < 8 ? 0 : 8;
            return changed(scene, scene.shape(), scene.color(), 1, scene.label() < 2 ? aside : 0, scene.label() < 2 ? 0 : aside,
                    scene.travel());
        }));
    }

    @Test
    void aTeleportIsNoMotion() {
        assertRejects(scene -> frames(scene, t -> changed(
                scene,
                scene.shape(),
                scene.color(),
                1,
                t < 8 ? 0 : scene.x(16) - scene.x0(),
                t < 8 ? 0 : scene.y(16) - scene.y0(),
                0)));
    }

    @Test
    void anObjectThatSplitsIsNotKept() {
        assertRejects(scene -> both(scene, scene.toward((scene.label() + 2) % 4)));
    }

    @Test
    void anObjectThatLeavesACopyBehindIsNotKept() {
        assertRejects(scene -> both(scene, changed(scene, scene.shape(), scene.color(), 1, 0, 0, 0)));
    }

    @Test
    void tooShortAndTooSmallVideosAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> Tracker.track(new Video(3, 64, 64, 16, new byte[3 * 64 * 64 * 3])));
        assertThrows(IllegalArgumentException.class, () -> Tracker.track(new Video(9, 8, 64, 16, new byte[9 * 8 * 64 * 3])));
    }

    private static void assertPasses(double least, UnaryOperator<Video> degraded) {
        int passed = 0;
        for (int i = 0; i < CLIPS; i++) {
            ShapeMoving.Clip clip = MINI.clip(3, i);
            Track track = Tracker.track(degraded.apply(clip.video()));
            for (int other = 0; other < 4; other++) if (other != clip.label()) assertFalse(track.moves(other), "clip " + i);
            if (track.moves(clip.label()) && track.keptObject()) passed++;
        }
        assertTrue(passed >= least * CLIPS, passed + " of " + CLIPS);
    }

    private static void assertRejects(Function<Scene, Video> spoiled) {
        int rejected = 0;
        int clips = 40;
        for (int i = 0; i < clips; i++) {
            Scene scene = MINI.scene(4, i);
            Track track = Tracker.track(spoiled.apply(scene));
            if (!track.moves(scene.label()) || !track.keptObject()) rejected++;
        }
        assertTrue(rejected >= 0.95 * clips, rejected + " of " + clips);
    }

    private static Scene changed(Scene s, Shape shape, Rgb color, double scale, double dx, double dy, double travel) {
        return new Scene(
                s.frames(), s.height(), s.width(), s.fps(), shape, color, s.size() * scale, s.background(), s.x0() + dx, s.y0() + dy,
                travel, s.label());
    }

    /// A clip whose frame `t` is that of scene `at(t)`.
    private static Video frames(Scene scene, IntFunction<Scene> at) {
        byte[] rgb = scene.render().rgb();
        int size = rgb.length / scene.frames();
        for (int t = 0; t < scene.frames(); t++) System.arraycopy(at.apply(t).render().rgb(), t * size, rgb, t * size, size);
        return new Video(scene.frames(), scene.height(), scene.width(), scene.fps(), rgb);
    }

    /// The first scene with the second one's object drawn over it.
    private static Video both(Scene scene, Scene over) {
        byte[] rgb = scene.render().rgb();
        byte[] above = over.render().rgb();
        int plane = scene.height() * scene.width();
        for (int t = 0; t < scene.frames(); t++) {
            float[] mask = over.coverage(t);
            for (int p = 0; p < plane; p++) {
                if (mask[p] > 0.5) System.arraycopy(above, (t * plane + p) * 3, rgb, (t * plane + p) * 3, 3);
            }
        }
        return new Video(scene.frames(), scene.height(), scene.width(), scene.fps(), rgb);
    }

    private static Video noisy(Video video) {
        var random = new SplittableRandom(1);
        byte[] rgb = video.rgb().clone();
        for (int i = 0; i < rgb.length; i++) rgb[i] = bounded((rgb[i] & 255) + 5 * random.nextGaussian());
        return new Video(video.frames(), video.height(), video.width(), video.fps(), rgb);
    }

    /// A Gaussian of σ 1 as the binomial 1 4 6 4 1, along rows and columns.
    private static Video blurred(Video video) {
        int[] weights = {1, 4, 6, 4, 1};
        byte[] rgb = video.rgb();
        for (int axis = 0; axis < 2; axis++) {
            byte[] next = new byte[rgb.length];
            for (int i = 0; i < rgb.length; i++) {
                int c = i % 3;
                int x = i / 3 % video.width();
                int row = i / 3 / video.width();
                int y = row % video.height();
                int t = row / video.height();
                double sum = 0;
                for (int k = -2; k <= 2; k++) {
                    int px = Math.clamp(axis == 0 ? x + k : x, 0, video.width() - 1);
                    int py = Math.clamp(axis == 0 ? y : y + k, 0, video.height() - 1);
                    sum += weights[k + 2] * (rgb[((t * video.height() + py) * video.width() + px) * 3 + c] & 255) / 16.0;
                }
                next[i] = bounded(sum);
            }
            rgb = next;
        }
        return new Video(video.frames(), video.height(), video.width(), video.fps(), rgb);
    }

    /// What mild lossy compression does: 8×8 cosine transforms, coefficients rounded, the finer ones more.
    private static Video quantised(Video video) {
        double[][] basis = new double[8][8];
        for (int k = 0; k < 8; k++) {
            for (int x = 0; x < 8; x++) basis[k][x] = (k == 0 ? Math.sqrt(0.125) : 0.5) * Math.cos(Math.PI * (2 * x + 1) * k / 16);
        }
        byte[] rgb = video.rgb().clone();
        double[][] block = new double[8][8];
        int rows = video.frames() * video.height();
        for (int top = 0; top < rows; top += 8) {
            for (int left = 0; left < video.width(); left += 8) {
                for (int c = 0; c < 3; c++) {
                    int at = (top * video.width() + left) * 3 + c;
                    for (int y = 0; y < 8; y++) {
                        for (int x = 0; x < 8; x++) block[y][x] = rgb[at + (y * video.width() + x) * 3] & 255;
                    }
                    double[][] coefficients = product(product(basis, block), transposed(basis));
                    for (int k = 0; k < 8; k++) {
                        for (int l = 0; l < 8; l++) {
                            double step = 12 * (1 + 0.3 * (k + l));
                            coefficients[k][l] = Math.rint(coefficients[k][l] / step) * step;
                        }
                    }
                    double[][] back = product(product(transposed(basis), coefficients), basis);
                    for (int y = 0; y < 8; y++) {
                        for (int x = 0; x < 8; x++) rgb[at + (y * video.width() + x) * 3] = bounded(back[y][x]);
                    }
                }
            }
        }
        return new Video(video.frames(), video.height(), video.width(), video.fps(), rgb);
    }

    private static double[][] product(double[][] a, double[][] b) {
        double[][] c = new double[8][8];
        for (int i = 0; i < 8; i++) {
            for (int j = 0; j < 8; j++) for (int k = 0; k < 8; k++) c[i][j] += a[i][k] * b[k][j];
        }
        return c;
    }

    private static double[][] transposed(double[][] a) {
        double[][] c = new double[8][8];
        for (int i = 0; i < 8; i++) for (int j = 0; j < 8; j++) c[i][j] = a[j][i];
        return c;
    }

    private static byte bounded(double value) {
        return (byte) Math.clamp(Math.round(value), 0, 255);
    }
}
