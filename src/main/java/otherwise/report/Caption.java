package otherwise.report;

import java.awt.Color;
import java.awt.Font;
import java.awt.FontMetrics;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;

/// Short texts in pictures. Where the machine has no fonts at all, as bare containers do, pictures come without words instead of not at all.
final class Caption {

    /// Whether there is anything to write with.
    static final boolean FONTS = fonts();

    private Caption() {}

    /// Java fails with an Error when it cannot find a font system, and from then on with another one: asked once.
    private static boolean fonts() {
        try {
            var g = new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB).createGraphics();
            int width = g.getFontMetrics(font(Font.PLAIN, 12)).stringWidth("up");
            g.dispose();
            return width > 0;
        } catch (RuntimeException | Error e) {
            return false;
        }
    }

    private static Font font(int style, int size) {
        return new Font(Font.SANS_SERIF, style, size);
    }

    /// Writes `text` into `width` pixels from `x` on, its base line at `y`; what does not fit is cut and ends in an ellipsis.
    ///
    /// @return how wide it became
    static int draw(Graphics2D g, String text, boolean bold, int size, Color color, int x, int y, int width) {
        if (!FONTS) return 0;
        g.setRenderingHint(RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
        g.setFont(font(bold ? Font.BOLD : Font.PLAIN, size));
        g.setColor(color);
        var fitting = fitting(text, g.getFontMetrics(), width);
        g.drawString(fitting, x, y);
        return g.getFontMetrics().stringWidth(fitting);
    }

    private static String fitting(String text, FontMetrics metrics, int width) {
        if (metrics.stringWidth(text) <= width) return text;
        for (int end = text.length() - 1; end > 0; end--) {
            var cut = text.substring(0, end).stripTrailing() + "…";
            if (metrics.stringWidth(cut) <= width) return cut;
        }
        return "";
    }
}
