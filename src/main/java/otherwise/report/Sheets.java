package otherwise.report;

import java.awt.Point;
import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.DataBufferByte;
import java.awt.image.Raster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.stream.MemoryCacheImageOutputStream;
import otherwise.io.Video;

/// A clip as a few tall PNG pictures, each with `rows` frames one below the other: in memory the frames of a clip lie just so. Still
/// backgrounds then repeat inside the reach of PNG's compression, which makes small clips several times smaller than frame by frame.
///
/// @param rows how many frames a sheet has; the last may have fewer
/// @param pngs the sheets as base64
record Sheets(int rows, List<String> pngs) {

    /// Browsers show pictures up to 16,384 pixels high, some phones only smaller ones.
    private static final int TALLEST = 4096;

    static Sheets of(Video video) {
        int rows = Math.clamp(TALLEST / video.height(), 1, video.frames());
        int frame = video.height() * video.width() * 3;
        var pngs = new ArrayList<String>();
        for (int t = 0; t < video.frames(); t += rows) {
            int count = Math.min(rows, video.frames() - t);
            var bytes = Arrays.copyOfRange(video.rgb(), t * frame, (t + count) * frame);
            pngs.add(Base64.getEncoder().encodeToString(png(bytes, video.width(), video.height() * count)));
        }
        return new Sheets(rows, List.copyOf(pngs));
    }

    private static byte[] png(byte[] rgb, int width, int height) {
        var raster = Raster.createInterleavedRaster(
                new DataBufferByte(rgb, rgb.length), width, height, 3 * width, 3, new int[] {0, 1, 2}, new Point());
        var colors = new ComponentColorModel(
                ColorSpace.getInstance(ColorSpace.CS_sRGB), false, false, Transparency.OPAQUE, DataBuffer.TYPE_BYTE);
        var image = new BufferedImage(colors, raster, false, null);
        var out = new ByteArrayOutputStream();
        var writer = ImageIO.getImageWritersByFormatName("png").next();
        try (var stream = new MemoryCacheImageOutputStream(out)) {
            var settings = writer.getDefaultWriteParam();
            settings.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
            settings.setCompressionQuality(0); // the smallest file, not the worst picture: PNG loses nothing
            writer.setOutput(stream);
            writer.write(null, new IIOImage(image, null, null), settings);
        } catch (IOException e) {
            throw new UncheckedIOException("memory does not fail", e);
        } finally {
            writer.dispose();
        }
        return out.toByteArray();
    }
}
