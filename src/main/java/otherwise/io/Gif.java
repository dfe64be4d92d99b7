package otherwise.io;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;

/// Animated GIFs: one palette of up to 256 colours for all frames, found by median cut, so that still parts do not flicker.
final class Gif {

    private static final int COLOURS = 256;

    /// Order in which the cells of a 4x4 square turn on: a regular pattern instead of false edges where colours change slowly.
    private static final int[] BAYER = {0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5};

    private Gif() {}

    static void write(Path file, Video video, int scale) throws IOException {
        var palette = Palette.of(video);
        AtomicFile.write(file, out -> {
            var writer = ImageIO.getImageWritersByFormatName("gif").next();
            try (var stream = ImageIO.createImageOutputStream(out)) {
                writer.setOutput(stream);
                writer.prepareWriteSequence(null);
                writeFrames(writer, video, palette, scale);
                writer.endWriteSequence();
            } finally {
                writer.dispose();
            }
        });
    }

    /// GIF counts in hundredths of a second, and browsers slow down what is faster than two of them: frames in between are left out, and
    /// each lasts until the next one is due, so that rounding never adds up.
    private static void writeFrames(ImageWriter writer, Video video, Palette palette, int scale) throws IOException {
        int stride = (int) Math.ceil(video.fps() / 50 - 1e-9);
        for (int t = 0; t < video.frames(); t += stride) {
            int next = Math.min(t + stride, video.frames());
            long delay = Math.round(100 * next / video.fps()) - Math.round(100 * t / video.fps());
            var image = palette.image(video, t, scale);
            var metadata = writer.getDefaultImageMetadata(ImageTypeSpecifier.createFromRenderedImage(image), null);
            describe(metadata, Math.clamp(delay, 2, 65_535), t == 0);
            writer.writeToSequence(new IIOImage(image, null, metadata), null);
        }
    }

    private static void describe(IIOMetadata metadata, int delay, boolean first) throws IOException {
        var root = (IIOMetadataNode) metadata.getAsTree(metadata.getNativeMetadataFormatName());
        var control = (IIOMetadataNode) root.getElementsByTagName("GraphicControlExtension").item(0);
        control.setAttribute("disposalMethod", "none");
        control.setAttribute("delayTime", Integer.toString(delay));
        if (first) {
            // Netscape's extension, which everyone understands: repeat, zero meaning for ever.
            var loop = new IIOMetadataNode("ApplicationExtension");
            loop.setAttribute("applicationID", "NETSCAPE");
            loop.setAttribute("authenticationCode", "2.0");
            loop.setUserObject(new byte[] {1, 0, 0});
            var extensions = new IIOMetadataNode("ApplicationExtensions");
            extensions.appendChild(loop);
            root.appendChild(extensions);
        }
        metadata.setFromTree(metadata.getNativeMetadataFormatName(), root);
    }

    /// The palette, the entry for each of the 32 x 32 x 32 cells of the colour cube, and by how much to dither.
    private record Palette(IndexColorModel model, byte[] entryOfCell, int dither) {

        /// A cell of the cube, how many pixels fall into it, and their summed colour: the mean keeps more than 5 bits.
        private record Cell(int index, long pixels, long red, long green, long blue) {
            int channel(int c) {
                return index >> 10 - 5 * c & 31;
            }
        }

        static Palette of(Video video) {
            var boxes = medianCut(cells(video));
            var reds = new byte[boxes.size()];
            var greens = new byte[boxes.size()];
            var blues = new byte[boxes.size()];
            var entryOfCell = new byte[1 << 15];
            for (int i = 0; i < boxes.size(); i++) {
                long pixels = boxes.get(i).stream().mapToLong(Cell::pixels).sum();
                reds[i] = (byte) (boxes.get(i).stream().mapToLong(Cell::red).sum() / pixels);
                greens[i] = (byte) (boxes.get(i).stream().mapToLong(Cell::green).sum() / pixels);
                blues[i] = (byte) (boxes.get(i).stream().mapToLong(Cell::blue).sum() / pixels);
            }
            var model = new IndexColorModel(8, boxes.size(), reds, greens, blues);
            for (int cell = 0; cell < entryOfCell.length; cell++) {
                entryOfCell[cell] = (byte) nearest(model, cell);
            }
            // A video of few colours is drawn as it is; dots would only soil it.
            boolean few = boxes.size() < COLOURS;
            return new Palette(model, entryOfCell, few ? 0 : 12);
        }

        private static List<Cell> cells(Video video) {
            var pixels = new long[1 << 15];
            var sums = new long[3][1 << 15];
            var rgb = video.rgb();
            for (int i = 0; i < rgb.length; i += 3) {
                int cell = cell(rgb[i] & 0xFF, rgb[i + 1] & 0xFF, rgb[i + 2] & 0xFF);
                pixels[cell]++;
                for (int c = 0; c < 3; c++) {
                    sums[c][cell] += rgb[i + c] & 0xFF;
                }
            }
            var cells = new ArrayList<Cell>();
            for (int i = 0; i < pixels.length; i++) {
                if (pixels[i] > 0) {
                    cells.add(new Cell(i, pixels[i], sums[0][i], sums[1][i], sums[2][i]));
                }
            }
            return cells;
        }

        /// Splits the box that holds most pixels over the longest edge at the pixel in the middle, until there are enough boxes (Heckbert 1982).
        private static List<List<Cell>> medianCut(List<Cell> cells) {
            var boxes = new ArrayList<List<Cell>>();
            boxes.add(cells);
            while (boxes.size() < COLOURS) {
                var widest = boxes.stream().filter(b -> b.size() > 1).max(Comparator.comparingDouble(Palette::weight));
                if (widest.isEmpty()) {
                    return boxes;
                }
                boxes.remove(widest.get());
                var sorted = new ArrayList<>(widest.get());
                int axis = longestEdge(sorted);
                sorted.sort(Comparator.comparingInt(c -> c.channel(axis)));
                long half = sorted.stream().mapToLong(Cell::pixels).sum() / 2;
                int cut = 1;
                for (long passed = sorted.getFirst().pixels(); cut < sorted.size() - 1 && passed < half; cut++) {
                    passed += sorted.get(cut).pixels();
                }
                boxes.add(List.copyOf(sorted.subList(0, cut)));
                boxes.add(List.copyOf(sorted.subList(cut, sorted.size())));
            }
            return boxes;
        }

        /// Pixels alone would spend the palette on the background: their root, times the extent, gives small bright things their share.
        private static double weight(List<Cell> box) {
            return Math.sqrt((double) box.stream().mapToLong(Cell::pixels).sum()) * extent(box, longestEdge(box));
        }

        private static int longestEdge(List<Cell> box) {
            int red = extent(box, 0);
            int green = extent(box, 1);
            int blue = extent(box, 2);
            return green >= red && green >= blue ? 1 : red >= blue ? 0 : 2;
        }

        private static int extent(List<Cell> box, int axis) {
            var range = box.stream().mapToInt(c -> c.channel(axis)).summaryStatistics();
            return range.getMax() - range.getMin();
        }

        private static int cell(int red, int green, int blue) {
            return red >> 3 << 10 | green >> 3 << 5 | blue >> 3;
        }

        private static int nearest(IndexColorModel model, int cell) {
            int best = 0;
            int least = Integer.MAX_VALUE;
            for (int i = 0; i < model.getMapSize(); i++) {
                int dr = model.getRed(i) - (cell >> 10 << 3 | 4);
                int dg = model.getGreen(i) - ((cell >> 5 & 31) << 3 | 4);
                int db = model.getBlue(i) - ((cell & 31) << 3 | 4);
                int distance = 2 * dr * dr + 4 * dg * dg + 3 * db * db; // the eye is keenest in green
                if (distance < least) {
                    least = distance;
                    best = i;
                }
            }
            return best;
        }

        BufferedImage image(Video video, int t, int scale) {
            int width = video.width();
            var image = new BufferedImage(width * scale, video.height() * scale, BufferedImage.TYPE_BYTE_INDEXED, model);
            var row = new byte[width * scale];
            for (int y = 0, from = t * video.height() * width * 3; y < video.height(); y++) {
                for (int x = 0; x < width; x++, from += 3) {
                    int shift = dither == 0 ? 0 : (BAYER[y % 4 * 4 + x % 4] * 2 - 15) * dither / 32;
                    int cell = cell(shifted(video, from, shift), shifted(video, from + 1, shift), shifted(video, from + 2, shift));
                    Arrays.fill(row, x * scale, (x + 1) * scale, entryOfCell[cell]);
                }
                for (int k = 0; k < scale; k++) {
                    image.getRaster().setDataElements(0, y * scale + k, width * scale, 1, row);
                }
            }
            return image;
        }

        private static int shifted(Video video, int at, int shift) {
            return Math.clamp((video.rgb()[at] & 0xFF) + shift, 0, 255);
        }
    }
}
