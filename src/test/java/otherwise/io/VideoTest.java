package otherwise.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class VideoTest {

    /// Every pixel of frame t has the value t, so that a frame can be known again.
    private static Video numbered(int frames, double fps) {
        var rgb = new byte[frames * 4 * 4 * 3];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (i / 48);
        }
        return new Video(frames, 4, 4, fps, rgb);
    }

    private static int[] numbers(Video video) {
        return IntStream.range(0, video.frames()).map(t -> video.rgb()[t * 48] & 0xFF).toArray();
    }

    @Test
    void picksFramesByTime() {
        var prepared = numbered(120, 30).resampled(17, 16);
        assertArrayEquals(new int[] {0, 2, 4, 6, 8, 9, 11, 13, 15, 17, 19, 21, 23, 24, 26, 28, 30}, numbers(prepared.video()));
        assertEquals(16, prepared.video().fps());
        assertEquals("120 frames at 30 fps (4.00 s); the first 1.06 s taken as 17 frames at 16 fps", prepared.note());
        assertArrayEquals(new int[] {0, 1, 1, 2, 2, 3}, numbers(numbered(4, 8).resampled(6, 16).video()));
    }

    @Test
    void takesAVideoThatFitsAsItIs() {
        var video = numbered(17, 16);
        var prepared = video.prepare(17, 4, 4, 16);
        assertSame(video, prepared.video());
        assertEquals("17 frames at 16 fps (1.06 s), all taken as they are", prepared.note());
    }

    @Test
    void spreadsAShortVideoAndSaysSo() {
        var prepared = numbered(9, 29.97).resampled(17, 16);
        assertArrayEquals(new int[] {0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8}, numbers(prepared.video()));
        assertEquals(
                "9 frames at 29.97 fps (0.30 s) is shorter than the 1.06 s of 17 frames at 16 fps; "
                        + "sampled evenly over its whole length, so motion plays 3.75 times slower",
                prepared.note());
    }

    @Test
    void refusesWhatIsNoVideo() {
        assertEquals(
                "a video of at least 2 frames is needed, this one has 1",
                assertThrows(IllegalArgumentException.class, () -> numbered(1, 16).prepare(17, 4, 4, 16)).getMessage());
        assertThrows(IllegalArgumentException.class, () -> numbered(2, 16).resampled(0, 16));
        assertThrows(IllegalArgumentException.class, () -> numbered(2, 16).resampled(2, Double.NaN));
        assertThrows(IllegalArgumentException.class, () -> new Video(1, 2, 2, 16, new byte[11]));
        assertThrows(IllegalArgumentException.class, () -> new Video(1, 2, 2, 0, new byte[12]));
        var e = assertThrows(IllegalArgumentException.class, () -> new Video(1 << 20, 1 << 20, 1 << 30, 1, new byte[0]));
        assertTrue(e.getMessage().contains("over 2 GiB"), e.getMessage());
    }

    @Test
    void scalesToCoverAndCutsOutTheMiddle() {
        // 2x8 to 2x4: only cropping, columns 2 … 5.
        var rgb = new byte[2 * 8 * 3];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (i / 3 % 8 * 10);
        }
        var cropped = new Video(1, 2, 8, 1, rgb).resized(2, 4);
        assertArrayEquals(new int[] {20, 30, 40, 50}, IntStream.range(0, 4).map(x -> cropped.rgb()[x * 3]).toArray());
        var prepared = new Video(2, 2, 8, 1, new byte[96]).prepare(2, 1, 2, 1);
        assertEquals("2 frames at 1 fps (2.00 s), all taken as they are; scaled from 8x2 to 4x1 and cropped to 2x1", prepared.note());
    }

    @Test
    void shrinksByAveragingAndNotBySkipping() {
        // A chequerboard has to become even grey, at any factor.
        var rgb = new byte[64 * 64 * 3];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) ((i / 3 % 64 + i / 192) % 2 * 255);
        }
        for (int size : new int[] {7, 16, 21, 32}) {
            var small = new Video(1, 64, 64, 1, rgb).resized(size, size);
            for (byte b : small.rgb()) {
                assertEquals(127.5, b & 0xFF, 20, "side " + size);
            }
        }
    }

    @Test
    void keepsAStraightRampWhenEnlarging() {
        var rgb = new byte[] {0, 0, 0, 40, 40, 40, 80, 80, 80, 120, 120, 120};
        var large = new Video(1, 1, 4, 1, rgb).resized(2, 8);
        var row = IntStream.range(0, 8).map(x -> large.rgb()[x * 3] & 0xFF).toArray();
        assertArrayEquals(new int[] {0, 10, 30, 50, 70, 90, 110, 120}, row);
    }

    @Test
    void goesToNetworkValuesAndBack() {
        var rgb = new byte[2 * 3 * 5 * 3];
        new Random(3).nextBytes(rgb);
        var video = new Video(2, 3, 5, 16, rgb);
        var data = video.toChannelsFirst();
        assertEquals((rgb[1] & 0xFF) / 127.5f - 1, data[30], "the second channel begins after 2·3·5 values");
        assertArrayEquals(rgb, Video.fromChannelsFirst(data, 2, 3, 5, 16).rgb());
        var edges = Video.fromChannelsFirst(new float[] {-3, 7, Float.NaN}, 1, 1, 1, 1).rgb();
        assertArrayEquals(new byte[] {0, -1, (byte) 128}, edges);
        assertThrows(IllegalArgumentException.class, () -> Video.fromChannelsFirst(new float[5], 1, 1, 1, 1));
    }

    @Test
    void enlargesPixelsAsSquares() {
        var video = new Video(2, 1, 2, 1, new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
        var large = video.upscaled(3);
        assertEquals(3, large.height());
        assertEquals(6, large.width());
        for (int t = 0; t < 2; t++) {
            for (int y = 0; y < 3; y++) {
                for (int x = 0; x < 6; x++) {
                    assertEquals(t * 6 + x / 3 * 3 + 1, large.rgb()[((t * 3 + y) * 6 + x) * 3]);
                }
            }
        }
        assertEquals(0xFF040506, video.image(0).getRGB(1, 0));
        assertThrows(IndexOutOfBoundsException.class, () -> video.image(2));
    }
}
