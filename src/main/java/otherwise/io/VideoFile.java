package otherwise.io;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.imageio.ImageIO;

/// Videos and pictures, from files and into them. Whatever is written appears whole or not at all (see [AtomicFile]).
public final class VideoFile {

    private static final Set<String> PICTURES = Set.of("png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff");
    private static final Pattern DIGITS_OR_TEXT = Pattern.compile("\\d+|\\D+");

    private VideoFile() {}

    /// Reads a whole video: anything that ffmpeg decodes, animated GIF and PNG included. Colours are converted as the file says, pictures
    /// turned upright. Frames of uneven length count as evenly spaced, at their mean rate.
    ///
    /// @throws InvalidFileException if the file is missing, is not a video that ffmpeg can read, breaks off, or exceeds 2 GiB when decoded
    public static Video read(Path file) throws IOException {
        return read(file, 0, Double.POSITIVE_INFINITY);
    }

    /// Reads `seconds` of a video, from `start` seconds on, or as much of that as there is.
    ///
    /// @throws InvalidFileException as [#read(Path)], or if the video ends before `start`
    public static Video read(Path file, double start, double seconds) throws IOException {
        if (Files.isDirectory(file)) {
            throw new InvalidFileException(file, "is a folder: a folder of pictures is a video only together with a frame rate");
        }
        requireFile(file);
        return FfmpegReader.read(file, start, start + seconds);
    }

    /// Reads the pictures of a folder as the frames of a video, sorted as people do: `f2.png` before `f10.png`. All must have one size.
    ///
    /// @throws InvalidFileException if there is no picture in it, one cannot be read, or one differs in size from the first
    public static Video readFolder(Path folder, double fps) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new InvalidFileException(folder, Files.exists(folder) ? "is not a folder" : "no such folder");
        }
        List<Path> files;
        try (Stream<Path> inside = Files.list(folder)) {
            files = inside.filter(VideoFile::isPicture).sorted(Comparator.comparing(VideoFile::sortKey)).toList();
        }
        if (files.isEmpty()) {
            throw new InvalidFileException(folder, "has no pictures in it");
        }
        Video first = readImage(files.getFirst());
        int size = first.rgb().length;
        var rgb = new byte[Video.bytes(files.size(), first.height(), first.width())];
        for (int t = 0; t < files.size(); t++) {
            var picture = t == 0 ? first : readImage(files.get(t));
            if (picture.height() != first.height() || picture.width() != first.width()) {
                throw new InvalidFileException(
                        files.get(t),
                        "is " + picture.width() + "x" + picture.height() + ", the first picture of its folder "
                                + first.width() + "x" + first.height());
            }
            System.arraycopy(picture.rgb(), 0, rgb, t * size, size);
        }
        return new Video(files.size(), first.height(), first.width(), fps, rgb);
    }

    /// Reads one picture, as a video of a single frame at 1 fps. Where it is transparent, black shows through.
    ///
    /// @throws InvalidFileException if the file is missing or is not a picture
    public static Video readImage(Path file) throws IOException {
        requireFile(file);
        BufferedImage image;
        try {
            image = ImageIO.read(file.toFile());
        } catch (IOException | RuntimeException e) {
            // Damaged pictures come back from ImageIO as anything from IIOException to IndexOutOfBoundsException.
            throw new InvalidFileException(file, "not a picture that can be read: " + e.getMessage(), e);
        }
        if (image != null) {
            return video(image);
        }
        // What ImageIO does not know, WebP for one, ffmpeg may.
        var frame = FfmpegReader.read(file, 0, Double.MIN_VALUE);
        return new Video(1, frame.height(), frame.width(), 1, frame.rgb());
    }

    private static void requireFile(Path file) throws InvalidFileException {
        if (!Files.isRegularFile(file)) {
            throw new InvalidFileException(file, Files.exists(file) ? "is not a regular file" : "no such file");
        }
        if (!Files.isReadable(file)) {
            throw new InvalidFileException(file, "permission denied");
        }
    }

    private static Video video(BufferedImage image) {
        int height = image.getHeight();
        int width = image.getWidth();
        var rgb = new byte[Video.bytes(1, height, width)];
        boolean grey = image.getColorModel().getNumComponents() == 1 && image.getType() == BufferedImage.TYPE_BYTE_GRAY;
        for (int y = 0, to = 0; y < height; y++) {
            for (int x = 0; x < width; x++, to += 3) {
                // getRGB would take grey values for linear light and brighten them.
                int argb = grey ? image.getRaster().getSample(x, y, 0) * 0x010101 | 0xFF000000 : image.getRGB(x, y);
                int alpha = argb >>> 24;
                for (int c = 0; c < 3; c++) {
                    rgb[to + c] = (byte) (((argb >>> 16 - 8 * c & 0xFF) * alpha + 127) / 255);
                }
            }
        }
        return new Video(1, height, width, 1, rgb);
    }

    private static boolean isPicture(Path file) {
        var name = file.getFileName().toString();
        var extension = name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
        return !name.startsWith(".") && PICTURES.contains(extension) && Files.isRegularFile(file);
    }

    /// Every number with its length in front, so that plain comparison sorts numbers by value. Leading zeros do not count.
    static String sortKey(Path file) {
        var key = new StringBuilder();
        var parts = DIGITS_OR_TEXT.matcher(file.getFileName().toString());
        while (parts.find()) {
            var part = parts.group();
            if (Character.isDigit(part.charAt(0))) {
                var number = part.replaceFirst("^0+(?=.)", "");
                key.append((char) ('0' + Math.min(number.length(), 70))).append(number);
            } else {
                key.append(part.toLowerCase(Locale.ROOT));
            }
        }
        return key.append('\0').append(file.getFileName()).toString();
    }

    /// Writes H.264 in MP4, for people to watch: 4:2:0 colour, hardly any loss to be seen.
    ///
    /// @throws IllegalArgumentException if a side is odd or under 16, which H.264 in this colour format does not allow
    /// @throws IOException if the file cannot be written; one line that names it
    public static void write(Path mp4, Video video) throws IOException {
        if (video.height() % 2 != 0 || video.width() % 2 != 0 || Math.min(video.height(), video.width()) < 16) {
            throw new IllegalArgumentException("H.264 needs even sides of at least 16 pixels, not " + video.width() + "x" + video.height());
        }
        FfmpegWriter.write(mp4, video, FfmpegWriter.Format.H264);
    }

    /// Writes FFV1 in Matroska, which gives back every byte as it was: for results that are measured afterwards.
    ///
    /// @throws IOException if the file cannot be written; one line that names it
    public static void writeLossless(Path mkv, Video video) throws IOException {
        FfmpegWriter.write(mkv, video, FfmpegWriter.Format.LOSSLESS);
    }

    /// Writes an animated GIF that repeats for ever, every pixel as a square of `scale`x`scale`: for READMEs and reports.
    ///
    /// @throws IOException if the file cannot be written; one line that names it
    public static void writeGif(Path gif, Video video, int scale) throws IOException {
        Gif.write(gif, video, scale);
    }

    /// Writes one frame as PNG.
    ///
    /// @throws IndexOutOfBoundsException if there is no such frame
    /// @throws IOException if the file cannot be written; one line that names it
    public static void writePng(Path png, Video video, int frame) throws IOException {
        var image = video.image(frame);
        AtomicFile.write(png, out -> ImageIO.write(image, "png", out));
    }
}
