package otherwise.io;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.bytedeco.ffmpeg.global.avcodec;
import org.bytedeco.ffmpeg.global.avformat;
import org.bytedeco.ffmpeg.global.avutil;
import org.bytedeco.ffmpeg.global.swscale;
import org.bytedeco.ffmpeg.swscale.SwsContext;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.Loader;

/// What reading and writing through ffmpeg share: the native libraries, error codes, and the conversion of colours.
final class Ffmpeg {

    /// Exact rounding, and colour at full resolution: the defaults trade both for speed.
    private static final int CONVERSION =
            swscale.SWS_BICUBIC | swscale.SWS_ACCURATE_RND | swscale.SWS_FULL_CHR_H_INT | swscale.SWS_FULL_CHR_H_INP;

    private Ffmpeg() {}

    /// Loads the native libraries (once) and makes them silent: what they have to say comes back as an error code.
    ///
    /// @throws IOException if this platform's libraries are not on the class path
    static void load() throws IOException {
        // JavaCPP refuses to work in a process that takes more memory than twice its heap, which tensors outside the heap do.
        System.setProperty("org.bytedeco.javacpp.maxPhysicalBytes", "0");
        try {
            Loader.load(avcodec.class);
            Loader.load(avformat.class);
            Loader.load(swscale.class);
        } catch (LinkageError e) {
            throw new IOException("ffmpeg cannot be loaded on " + Loader.Detector.getPlatform() + ": " + e.getMessage(), e);
        }
        avutil.av_log_set_level(avutil.AV_LOG_QUIET);
    }

    /// The path as ffmpeg takes it: marked as a file, since a name like `a:b.mp4` would be taken for a protocol.
    static String url(Path file) {
        return "file:" + file;
    }

    /// Gives `code` back if it is no error.
    ///
    /// @throws InvalidFileException that says `problem` and ffmpeg's own reason
    static int check(int code, Path file, String problem) throws InvalidFileException {
        if (code < 0) {
            throw new InvalidFileException(file, problem + " (" + reason(code) + ")");
        }
        return code;
    }

    static String reason(int code) {
        var text = new byte[256];
        avutil.av_strerror(code, text, text.length);
        int end = 0;
        while (end < text.length && text[end] != 0) {
            end++;
        }
        return new String(text, 0, end, StandardCharsets.UTF_8);
    }

    /// A converter between two pixel formats, perhaps of different sizes. `yuvMatrix` (an `AVCOL_SPC_` number) and the ranges say what the
    /// numbers of the YUV side mean; on an RGB side they are ignored.
    static SwsContext converter(
            int width, int height, int format, boolean full, int toWidth, int toHeight, int toFormat, boolean toFull, int yuvMatrix) {
        var context = swscale.sws_getContext(
                width, height, format, toWidth, toHeight, toFormat, CONVERSION, null, null, (DoublePointer) null);
        if (context == null) {
            throw new IllegalArgumentException("ffmpeg cannot convert pixel format " + format + " to " + toFormat);
        }
        var matrix = swscale.sws_getCoefficients(yuvMatrix);
        swscale.sws_setColorspaceDetails(context, matrix, full ? 1 : 0, matrix, toFull ? 1 : 0, 0, 1 << 16, 1 << 16);
        return context;
    }
}
