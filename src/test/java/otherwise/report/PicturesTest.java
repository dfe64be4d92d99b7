package otherwise.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.data.Preset;
import otherwise.io.Video;

/// Pictures made of clips hold the clips' pixels, where and when they should.
class PicturesTest {

    private static final ReportData DATA = Demo.data(new Preset("odd", 9, 50, 46, 16, 1, 4, 1), 3);

    @TempDir
    private Path folder;

    @Test
    void panelsStandSideBySideInStep() {
        var wide = SideBySide.of(DATA, true);
        int factor = 6; // 46 · 6 = 276 is the first multiple of at least 256
        assertEquals(List.of(9, 338, 860), List.of(wide.frames(), wide.height(), wide.width()));
        var clips = List.of(DATA.original(), DATA.counterfactual(),
                Difference.of(DATA.original(), DATA.counterfactual()).video(SideBySide.GAIN));
        for (int t = 0; t < 9; t++) {
            var frame = wide.image(t);
            for (int p = 0; p < 3; p++) {
                var clip = clips.get(p).image(t);
                for (int y = 0; y < 50 * factor; y++) {
                    for (int x = 0; x < 46 * factor; x++) {
                        assertEquals(clip.getRGB(x / factor, y / factor), frame.getRGB(8 + p * (276 + 8) + x, 30 + y));
                    }
                }
            }
        }
    }

    @Test
    void captionsAreInTheStripAboveTheirPanelAndNowhereElse() {
        assumeTrue(Caption.FONTS, "no fonts on this machine");
        var wordy = new SideBySide.Panel(DATA.original(), "a name that is far too long for the width of a single panel of this size", "x");
        var none = new SideBySide.Panel(DATA.original(), "", "");
        var with = SideBySide.of(List.of(wordy, none)).image(0);
        var without = SideBySide.of(List.of(none, none)).image(0);
        int changed = 0;
        for (int y = 0; y < with.getHeight(); y++) {
            for (int x = 0; x < with.getWidth(); x++) {
                if (with.getRGB(x, y) == without.getRGB(x, y)) continue;
                changed++;
                assertTrue(y < 30 && x >= 8 && x < 8 + 276, "a letter at " + x + ", " + y);
            }
        }
        assertTrue(changed > 300, "only " + changed + " pixels are written on");
    }

    @Test
    void unlikeClipsAreRefused() {
        var small = new SideBySide.Panel(DATA.original().resized(20, 20), "small", "");
        var e = assertThrows(IllegalArgumentException.class,
                () -> SideBySide.of(List.of(new SideBySide.Panel(DATA.original(), "large", ""), small)));
        assertTrue(e.getMessage().startsWith("small differs from large: "), e.getMessage());
        assertThrows(IllegalArgumentException.class, () -> SideBySide.of(List.of()));
    }

    @Test
    void aSheetHasARowAClipAndFramesFromFirstToLast() throws IOException {
        var brief = new Video(2, 50, 46, 16, Arrays.copyOf(DATA.counterfactual().rgb(), 2 * 50 * 46 * 3));
        var file = folder.resolve("sheet.png");
        ContactSheet.write(file, List.of(new ContactSheet.Row("", DATA.original()), new ContactSheet.Row("", brief)), 3, 100);
        var sheet = ImageIO.read(file.toFile());
        assertEquals(List.of(4 + 3 * (92 + 4), 4 + 2 * (100 + 4)), List.of(sheet.getWidth(), sheet.getHeight()));
        for (int c = 0; c < 3; c++) {
            var frame = DATA.original().image(c * 4);
            for (int y = 0; y < 100; y++) {
                for (int x = 0; x < 92; x++) assertEquals(frame.getRGB(x / 2, y / 2), sheet.getRGB(4 + c * 96 + x, 4 + y));
            }
        }
        assertEquals(0xffffffff, sheet.getRGB(4 + 2 * 96 + 40, 150), "a short clip leaves its row open");
        assertNotEquals(0xffffffff, sheet.getRGB(4 + 96 + 40, 150));
    }

    @Test
    void framesAreEvenlySpaced() {
        assertArrayEquals(new int[] {0, 8, 16}, ContactSheet.picks(17, 3));
        assertArrayEquals(new int[] {0}, ContactSheet.picks(17, 1));
        assertArrayEquals(new int[] {0, 1}, ContactSheet.picks(2, 5));
    }
}
