package otherwise.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What is written comes back: the same number of frames, the same rate, the same colours.
class VideoFileTest {

    @TempDir
    Path folder;

    /// A bright disc that moves to the right over a coloured gradient.
    private static Video disc(int frames, int height, int width, double fps) {
        var rgb = new byte[frames * height * width * 3];
        int i = 0;
        for (int t = 0; t < frames; t++) {
            for (int y = 0; y < height; y++) {
                for (int x = 0; x < width; x++, i += 3) {
                    double dx = x - width * (0.25 + 0.5 * t / frames);
                    double dy = y - height * 0.5;
                    boolean inside = dx * dx + dy * dy < height * height / 25.0;
                    rgb[i] = (byte) (inside ? 240 : 40 + 80 * x / width);
                    rgb[i + 1] = (byte) (inside ? 200 : 60 + 60 * y / height);
                    rgb[i + 2] = (byte) (inside ? 40 : 90);
                }
            }
        }
        return new Video(frames, height, width, fps, rgb);
    }

    private static double psnr(Video a, Video b) {
        double sum = 0;
        for (int i = 0; i < a.rgb().length; i++) {
            double d = (a.rgb()[i] & 0xFF) - (b.rgb()[i] & 0xFF);
            sum += d * d;
        }
        return 10 * Math.log10(255.0 * 255 * a.rgb().length / sum);
    }

    /// `closeness` is a PSNR in dB. The smaller the picture, the more of it is the disc's edge, which 4:2:0 blurs.
    @ParameterizedTest
    @CsvSource({"17, 64, 64, 16, 31", "2, 16, 16, 1, 25", "81, 48, 96, 29.97002997, 33", "33, 240, 416, 23.976, 39"})
    void mp4KeepsFramesRateAndColours(int frames, int height, int width, double fps, double closeness) throws IOException {
        var file = folder.resolve("clip.mp4");
        var video = disc(frames, height, width, fps);
        VideoFile.write(file, video);
        var read = VideoFile.read(file);
        assertEquals(frames, read.frames());
        assertEquals(height, read.height());
        assertEquals(width, read.width());
        assertEquals(fps, read.fps(), fps * 1e-4);
        assertTrue(psnr(video, read) > closeness, () -> "PSNR " + psnr(video, read));
        assertEquals(List.of(file), inFolder());
    }

    /// A flat colour has no edges for 4:2:0 to blur: whatever differs by more than rounding is a wrong matrix or range.
    @Test
    void mp4KeepsFlatColours() throws IOException {
        for (int colour : new int[] {0x000000, 0xFFFFFF, 0xE02020, 0x20E020, 0x2020E0, 0x808080}) {
            var rgb = new byte[3 * 32 * 32 * 3];
            for (int i = 0; i < rgb.length; i++) {
                rgb[i] = (byte) (colour >> 16 - 8 * (i % 3));
            }
            var file = folder.resolve("flat.mp4");
            VideoFile.write(file, new Video(3, 32, 32, 8, rgb));
            var read = VideoFile.read(file).rgb();
            for (int i = 0; i < rgb.length; i++) {
                assertEquals(rgb[i] & 0xFF, read[i] & 0xFF, 3, Integer.toHexString(colour));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"17, 64, 64, 16", "3, 17, 33, 23.976", "2, 1, 1, 60", "5, 240, 320, 7.5"})
    void losslessGivesEveryByteBack(int frames, int height, int width, double fps) throws IOException {
        var rgb = new byte[frames * height * width * 3];
        new Random(frames).nextBytes(rgb);
        var file = folder.resolve("clip.mkv");
        VideoFile.writeLossless(file, new Video(frames, height, width, fps, rgb));
        var read = VideoFile.read(file);
        assertArrayEquals(rgb, read.rgb());
        assertEquals(frames, read.frames());
        assertEquals(fps, read.fps(), fps * 1e-3);
    }

    @Test
    void sameVideoSameBytes() throws IOException {
        var video = disc(9, 32, 32, 16);
        for (var name : List.of("a.mp4", "b.mp4")) {
            VideoFile.write(folder.resolve(name), video);
        }
        for (var name : List.of("a.mkv", "b.mkv")) {
            VideoFile.writeLossless(folder.resolve(name), video);
        }
        assertEquals(-1, Files.mismatch(folder.resolve("a.mp4"), folder.resolve("b.mp4")));
        assertEquals(-1, Files.mismatch(folder.resolve("a.mkv"), folder.resolve("b.mkv")));
    }

    @Test
    void gifKeepsFramesTimeAndFewColours() throws IOException {
        var file = folder.resolve("clip.gif");
        var rgb = new byte[17 * 8 * 8 * 3];
        for (int i = 0; i < rgb.length; i += 3) {
            int pixel = i / 3;
            rgb[i] = (byte) (pixel % 8 < 1 + pixel / 64 % 7 ? 200 : 16);
            rgb[i + 1] = (byte) (pixel % 64 / 8 * 32);
        }
        VideoFile.writeGif(file, new Video(17, 8, 8, 16, rgb), 3);
        var read = VideoFile.read(file);
        assertEquals(17, read.frames());
        assertEquals(24, read.width());
        assertEquals(16, read.fps(), 0.1);
        assertArrayEquals(new Video(17, 8, 8, 16, rgb).upscaled(3).rgb(), read.rgb());
        VideoFile.writeGif(file, disc(30, 64, 64, 100), 1);
        assertEquals(15, VideoFile.read(file).frames(), "browsers would slow down 100 frames a second");
    }

    @Test
    void gifOfManyColoursStaysClose() throws IOException {
        var file = folder.resolve("clip.gif");
        var video = disc(8, 96, 96, 10);
        VideoFile.writeGif(file, video, 1);
        var read = VideoFile.read(file);
        assertTrue(psnr(video, read) > 40, () -> "PSNR " + psnr(video, read));
    }

    @Test
    void readsAPart() throws IOException {
        var file = folder.resolve("clip.mkv");
        var video = disc(32, 16, 16, 16);
        VideoFile.writeLossless(file, video);
        var part = VideoFile.read(file, 0.5, 0.25);
        assertEquals(4, part.frames());
        assertArrayEquals(Arrays.copyOfRange(video.rgb(), 8 * 768, 12 * 768), part.rgb());
        var e = assertThrows(InvalidFileException.class, () -> VideoFile.read(file, 5, 1));
        assertEquals(file + ": ends after 2.00 s, before the part that starts at 5.00 s", e.getMessage());
    }

    @Test
    void turnsPicturesUpright() throws IOException {
        var file = folder.resolve("clip.mp4");
        var video = disc(4, 32, 64, 8);
        VideoFile.write(file, video);
        // The track header's matrix is the second identity in the file, after that of the movie: a quarter turn clockwise instead.
        var bytes = Files.readAllBytes(file);
        int second = identity(bytes, identity(bytes, 0) + 1);
        byte[] quarter = new byte[36];
        quarter[5] = 1;
        Arrays.fill(quarter, 12, 14, (byte) 0xFF);
        quarter[32] = 0x40;
        System.arraycopy(quarter, 0, bytes, second, 36);
        Files.write(file, bytes);
        var turned = VideoFile.read(file);
        assertEquals(64, turned.height());
        assertEquals(32, turned.width());
        // What was the lower left corner is the upper left one.
        assertEquals(video.rgb()[31 * 64 * 3 + 1] & 0xFF, turned.rgb()[1] & 0xFF, 8);
    }

    private static int identity(byte[] bytes, int from) {
        byte[] identity = new byte[36];
        identity[1] = 1;
        identity[17] = 1;
        identity[32] = 0x40;
        for (int i = from; i < bytes.length - 36; i++) {
            if (Arrays.equals(bytes, i, i + 36, identity, 0, 36)) {
                return i;
            }
        }
        throw new AssertionError("no identity matrix");
    }

    @Test
    void refusesWhatIsNoVideo() throws IOException {
        var text = folder.resolve("text.mp4");
        Files.writeString(text, "This is not a video.\n".repeat(200));
        assertTold(text, "not a video that ffmpeg can read (");
        var empty = folder.resolve("empty.mp4");
        Files.write(empty, new byte[0]);
        assertTold(empty, "not a video that ffmpeg can read (");
        assertTold(folder.resolve("none.mp4"), "no such file");
        assertTold(folder, "is a folder: a folder of pictures is a video only together with a frame rate");
        // A playlist would make ffmpeg open whatever it names.
        var playlist = folder.resolve("list.m3u8");
        VideoFile.write(folder.resolve("secret.mp4"), disc(4, 16, 16, 8));
        Files.writeString(playlist, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n");
        assertTold(playlist, "not a video that ffmpeg can read (");
    }

    @Test
    void refusesAFileThatIsCutOff() throws IOException {
        var whole = folder.resolve("whole.mp4");
        VideoFile.write(whole, disc(48, 64, 64, 16));
        var bytes = Files.readAllBytes(whole);
        var cut = folder.resolve("cut.mp4");
        Files.write(cut, Arrays.copyOf(bytes, bytes.length / 2));
        assertTold(cut, "only the first ");
        Files.write(cut, Arrays.copyOf(bytes, 200));
        assertTold(cut, "not a video that ffmpeg can read (");
        var lossless = folder.resolve("whole.mkv");
        VideoFile.writeLossless(lossless, disc(48, 64, 64, 16));
        bytes = Files.readAllBytes(lossless);
        var cutLossless = folder.resolve("cut.mkv");
        Files.write(cutLossless, Arrays.copyOf(bytes, bytes.length / 2));
        assertTold(cutLossless, "only the first ");
    }

    @Test
    void refusesToWriteWhatCannotBe() throws IOException {
        var odd = disc(2, 17, 32, 8);
        var e = assertThrows(IllegalArgumentException.class, () -> VideoFile.write(folder.resolve("x.mp4"), odd));
        assertEquals("H.264 needs even sides of at least 16 pixels, not 32x17", e.getMessage());
        var nowhere = folder.resolve("no/x.mkv");
        var told = assertThrows(IOException.class, () -> VideoFile.writeLossless(nowhere, odd)).getMessage();
        assertEquals(nowhere + ": cannot write: no such folder: " + nowhere.getParent(), told);
        assertEquals(List.of(), inFolder());
    }

    @Test
    void readsAFolderOfPicturesInTheOrderOfTheirNumbers() throws IOException {
        var video = disc(11, 8, 6, 16);
        for (int t = 0; t < 11; t++) {
            VideoFile.writePng(folder.resolve("f" + t + ".png"), video, t);
        }
        Files.writeString(folder.resolve("notes.txt"), "not a picture");
        var read = VideoFile.readFolder(folder, 16);
        assertArrayEquals(video.rgb(), read.rgb());
        assertEquals(16, read.fps());
        VideoFile.writePng(folder.resolve("f20.png"), disc(1, 9, 6, 1), 0);
        var e = assertThrows(InvalidFileException.class, () -> VideoFile.readFolder(folder, 16));
        assertEquals(folder.resolve("f20.png") + ": is 6x9, the first picture of its folder 6x8", e.getMessage());
    }

    @Test
    void readsGreyAndTransparentPictures() throws IOException {
        var grey = new BufferedImage(2, 1, BufferedImage.TYPE_BYTE_GRAY);
        grey.getRaster().setSample(0, 0, 0, 100);
        var file = folder.resolve("p.png");
        ImageIO.write(grey, "png", file.toFile());
        assertArrayEquals(new byte[] {100, 100, 100, 0, 0, 0}, VideoFile.readImage(file).rgb());
        var glass = new BufferedImage(1, 1, BufferedImage.TYPE_INT_ARGB);
        glass.setRGB(0, 0, 0x80FF4000);
        ImageIO.write(glass, "png", file.toFile());
        assertArrayEquals(new byte[] {(byte) 128, 32, 0}, VideoFile.readImage(file).rgb());
        Files.writeString(file, "no picture at all, only words and more words");
        assertThrows(InvalidFileException.class, () -> VideoFile.readImage(file));
    }

    private static void assertTold(Path file, String start) {
        var told = assertThrows(InvalidFileException.class, () -> VideoFile.read(file)).getMessage();
        assertTrue(told.startsWith(file + ": " + start) && !told.contains("\n"), told);
    }

    private List<Path> inFolder() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.toList();
        }
    }

    /// What a network makes that nobody trained.
    @Test
    void largeNoiseIsWrittenToo() throws IOException {
        var rgb = new byte[3 * 624 * 624 * 3];
        new Random(1).nextBytes(rgb);
        var file = folder.resolve("noise.mp4");
        VideoFile.write(file, new Video(3, 624, 624, 16, rgb));
        assertEquals(3, VideoFile.read(file).frames());
    }
}
