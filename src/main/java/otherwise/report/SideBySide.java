package otherwise.report;

import java.awt.Color;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.List;
import otherwise.io.Video;

/// Clips beside each other in one video, each under a caption, played in step. Small clips are enlarged by whole factors, pixel by pixel.
public final class SideBySide {

    /// The least width and height of a panel.
    static final int LEAST_SIDE = 256;

    /// How much brighter than they are differences are drawn.
    static final double GAIN = 2;

    private static final Color BACKGROUND = new Color(0x2a2f37);
    private static final Color QUIET = new Color(0xa9b2be);
    private static final Color LOUD = new Color(0xf4f6f8);
    private static final int GUTTER = 8;
    private static final int CAPTION = 30;
    private static final int LETTERS = 15;

    /// One clip, what it is, and what is to be said of it.
    public record Panel(Video video, String name, String text) {}

    private SideBySide() {}

    /// Original | what-if, and the difference as a third panel if asked for.
    public static Video of(ReportData data, boolean difference) {
        var verdict = data.verdict();
        var panels = new ArrayList<Panel>();
        panels.add(new Panel(data.original(), "original", verdict.source() + " " + Verdict.probability(verdict.before())));
        panels.add(new Panel(data.counterfactual(), "what-if", verdict.outcome() + " " + Verdict.probability(verdict.after())));
        if (difference) {
            var video = Difference.of(data.original(), data.counterfactual()).video(GAIN);
            panels.add(new Panel(video, "difference", "×" + Html.number(GAIN)));
        }
        return of(panels);
    }

    /// The panels from left to right. The result has even sides, as video formats want them.
    ///
    /// @throws IllegalArgumentException if there is no panel, or the clips differ in frames or size
    public static Video of(List<Panel> panels) {
        if (panels.isEmpty()) throw new IllegalArgumentException("no clips to put side by side");
        var first = panels.getFirst().video();
        for (var panel : panels) {
            var video = panel.video();
            if (video.frames() != first.frames() || video.height() != first.height() || video.width() != first.width()) {
                throw new IllegalArgumentException("%s differs from %s: %s, %s"
                        .formatted(panel.name(), panels.getFirst().name(), video, first));
            }
        }
        int factor = Math.ceilDiv(LEAST_SIDE, Math.min(LEAST_SIDE, Math.min(first.height(), first.width())));
        int panelWidth = first.width() * factor;
        int panelHeight = first.height() * factor;
        int width = even(panels.size() * (panelWidth + GUTTER) + GUTTER);
        int height = even(CAPTION + panelHeight + GUTTER);

        var captions = captions(panels, width, height, panelWidth);
        var rgb = new byte[Math.multiplyExact(first.frames(), height * width * 3)];
        for (int t = 0, at = 0; t < first.frames(); t++, at += captions.length) {
            System.arraycopy(captions, 0, rgb, at, captions.length);
            for (int p = 0; p < panels.size(); p++) {
                int left = GUTTER + p * (panelWidth + GUTTER);
                enlarge(panels.get(p).video(), t, factor, rgb, at + (CAPTION * width + left) * 3, width * 3);
            }
        }
        return new Video(first.frames(), height, width, first.fps(), rgb);
    }

    /// Everything but the clips, which is the same in all frames, as bytes `[H, W, 3]`.
    private static byte[] captions(List<Panel> panels, int width, int height, int panelWidth) {
        var image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        var g = image.createGraphics();
        g.setColor(BACKGROUND);
        g.fillRect(0, 0, width, height);
        int base = CAPTION / 2 + LETTERS / 2 - 2;
        for (int p = 0; p < panels.size(); p++) {
            int left = GUTTER + p * (panelWidth + GUTTER) + 2;
            int used = Caption.draw(g, panels.get(p).name(), false, LETTERS, QUIET, left, base, panelWidth - 2) + LETTERS / 2;
            Caption.draw(g, panels.get(p).text(), true, LETTERS, LOUD, left + used, base, panelWidth - 2 - used);
        }
        g.dispose();
        var rgb = new byte[height * width * 3];
        var pixels = image.getRGB(0, 0, width, height, null, 0, width);
        for (int i = 0; i < pixels.length; i++) {
            rgb[3 * i] = (byte) (pixels[i] >> 16);
            rgb[3 * i + 1] = (byte) (pixels[i] >> 8);
            rgb[3 * i + 2] = (byte) pixels[i];
        }
        return rgb;
    }

    private static void enlarge(Video video, int t, int factor, byte[] dst, int start, int stride) {
        for (int y = 0; y < video.height() * factor; y++) {
            int row = (t * video.height() + y / factor) * video.width();
            for (int x = 0, to = start + y * stride; x < video.width() * factor; x++, to += 3) {
                System.arraycopy(video.rgb(), (row + x / factor) * 3, dst, to, 3);
            }
        }
    }

    private static int even(int side) {
        return side + side % 2;
    }
}
