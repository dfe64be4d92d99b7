package otherwise.report;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import otherwise.io.AtomicFile;
import otherwise.io.Video;

/// Frames of several clips as one picture: a row a clip, evenly spaced frames from left to right, the first and the last among them.
public final class ContactSheet {

    private static final Color PAPER = Color.WHITE;
    private static final Color INK = new Color(0x1a1d21);
    private static final int GAP = 4;
    private static final int LETTERS = 13;
    private static final int LABEL = 140;

    /// A clip and what is written before its frames; without any label, no room is left for one.
    public record Row(String label, Video video) {}

    private ContactSheet() {}

    /// Draws the sheet, each frame `side` pixels on its longer side. Clips are enlarged pixel by pixel and reduced smoothly.
    ///
    /// @throws IllegalArgumentException if there is no clip, or a count or size is not positive
    public static BufferedImage of(List<Row> rows, int columns, int side) {
        if (rows.isEmpty() || columns < 1 || side < 1) {
            throw new IllegalArgumentException("no sheet of %d clips with %d frames of %d pixels".formatted(rows.size(), columns, side));
        }
        int label = rows.stream().allMatch(row -> row.label().isEmpty()) ? 0 : LABEL;
        int wide = rows.stream().mapToInt(row -> width(row.video(), side)).max().orElseThrow();
        int height = GAP + rows.stream().mapToInt(row -> height(row.video(), side) + GAP).sum();
        var sheet = new BufferedImage(label + GAP + columns * (wide + GAP), height, BufferedImage.TYPE_INT_RGB);
        var g = sheet.createGraphics();
        g.setColor(PAPER);
        g.fillRect(0, 0, sheet.getWidth(), sheet.getHeight());
        int top = GAP;
        for (var row : rows) {
            int tall = height(row.video(), side);
            Caption.draw(g, row.label(), false, LETTERS, INK, 2 * GAP, top + (tall + LETTERS) / 2 - 2, label - 3 * GAP);
            var picks = picks(row.video().frames(), columns);
            for (int c = 0; c < picks.length; c++) {
                draw(g, row.video(), picks[c], label + GAP + c * (wide + GAP), top, width(row.video(), side), tall);
            }
            top += tall + GAP;
        }
        g.dispose();
        return sheet;
    }

    /// Writes the sheet as PNG.
    ///
    /// @throws IOException if the file cannot be written; one line that names it
    public static void write(Path png, List<Row> rows, int columns, int side) throws IOException {
        var sheet = of(rows, columns, side);
        AtomicFile.write(png, out -> ImageIO.write(sheet, "png", out));
    }

    /// Which frames: as many as there are columns, or all of a shorter clip.
    static int[] picks(int frames, int columns) {
        int count = Math.min(frames, columns);
        return IntStream.range(0, count).map(k -> count == 1 ? 0 : (int) Math.round((double) k * (frames - 1) / (count - 1))).toArray();
    }

    private static void draw(Graphics2D g, Video video, int frame, int x, int y, int width, int height) {
        g.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_NEAREST_NEIGHBOR);
        // Reducing is left to the video's own filter: Java's looks at four pixels only, however many there are.
        var image = width >= video.width() ? video.image(frame) : single(video, frame).resized(height, width).image(0);
        g.drawImage(image, x, y, width, height, null);
    }

    private static Video single(Video video, int frame) {
        int size = video.height() * video.width() * 3;
        var rgb = new byte[size];
        System.arraycopy(video.rgb(), frame * size, rgb, 0, size);
        return new Video(1, video.height(), video.width(), video.fps(), rgb);
    }

    private static int width(Video video, int side) {
        return Math.max(1, Math.round((float) side * video.width() / Math.max(video.width(), video.height())));
    }

    private static int height(Video video, int side) {
        return Math.max(1, Math.round((float) side * video.height() / Math.max(video.width(), video.height())));
    }
}
