package otherwise.io;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.bytedeco.ffmpeg.avcodec.AVCodec;
import org.bytedeco.ffmpeg.avcodec.AVCodecContext;
import org.bytedeco.ffmpeg.avcodec.AVPacket;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVStream;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.global.avcodec;
import org.bytedeco.ffmpeg.global.avformat;
import org.bytedeco.ffmpeg.global.avutil;
import org.bytedeco.ffmpeg.global.swscale;
import org.bytedeco.ffmpeg.swscale.SwsContext;
import org.bytedeco.javacpp.IntPointer;

/// Decodes the video stream of one file, from beginning to end.
///
/// Order of life: open, decode packet by packet, convert each frame to RGB and keep those of the wanted part, flush, close.
final class FfmpegReader implements AutoCloseable {

    private static final String NOT_A_VIDEO = "not a video that ffmpeg can read";

    /// Containers of pictures only. Playlists and the like, which name further files to open, are not among them.
    private static final String CONTAINERS =
            "mov,matroska,avi,gif,apng,mpegts,mpeg,mpegvideo,h264,hevc,m4v,mjpeg,flv,ogg,asf,ivf,obu,nut,rm,dv,mxf,yuv4mpegpipe,"
                    + "png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,tiff_pipe";

    private final Path file;
    private final double from;
    private final double to;
    private final AVFormatContext container = new AVFormatContext(null);
    private final AVPacket packet = avcodec.av_packet_alloc();
    private final AVFrame decoded = avutil.av_frame_alloc();
    private final AVFrame rgb = avutil.av_frame_alloc();
    private final List<byte[]> kept = new ArrayList<>();

    private AVCodecContext decoder;
    private AVStream stream;
    private SwsContext converter;
    private int sourceWidth;
    private int sourceHeight;
    private int sourceFormat = -1;
    private long seen;
    private double first;
    private double last;
    private boolean past;

    private FfmpegReader(Path file, double from, double to) {
        this.file = file;
        this.from = from;
        this.to = to;
    }

    /// The frames shown at `from` ≤ t < `to` seconds.
    ///
    /// @throws InvalidFileException if it is not a video, breaks off, is too large for memory, or nothing of it lies in that part
    static Video read(Path file, double from, double to) throws IOException {
        Ffmpeg.load();
        try (var reader = new FfmpegReader(file, from, to)) {
            reader.open();
            reader.decodeAll();
            return reader.video();
        }
    }

    private void open() throws IOException {
        var options = new AVDictionary(null);
        avutil.av_dict_set(options, "protocol_whitelist", "file", 0);
        avutil.av_dict_set(options, "format_whitelist", CONTAINERS, 0);
        try {
            Ffmpeg.check(avformat.avformat_open_input(container, Ffmpeg.url(file), null, options), file, NOT_A_VIDEO);
        } finally {
            avutil.av_dict_free(options);
        }
        Ffmpeg.check(avformat.avformat_find_stream_info(container, (AVDictionary) null), file, NOT_A_VIDEO);
        int index = Ffmpeg.check(
                avformat.av_find_best_stream(container, avutil.AVMEDIA_TYPE_VIDEO, -1, -1, (AVCodec) null, 0), file, NOT_A_VIDEO);
        stream = container.streams(index);
        var codec = avcodec.avcodec_find_decoder(stream.codecpar().codec_id());
        if (codec == null) {
            throw new InvalidFileException(file, NOT_A_VIDEO + " (no decoder for its format)");
        }
        decoder = avcodec.avcodec_alloc_context3(codec);
        Ffmpeg.check(avcodec.avcodec_parameters_to_context(decoder, stream.codecpar()), file, NOT_A_VIDEO);
        decoder.thread_count(0);
        Ffmpeg.check(avcodec.avcodec_open2(decoder, codec, (AVDictionary) null), file, NOT_A_VIDEO);
    }

    private void decodeAll() throws IOException {
        while (!past && avformat.av_read_frame(container, packet) >= 0) {
            // A packet that cannot be decoded is skipped, as players do: whether too little is left is judged at the end.
            if (packet.stream_index() == stream.index() && avcodec.avcodec_send_packet(decoder, packet) >= 0) {
                receive();
            }
            avcodec.av_packet_unref(packet);
        }
        if (!past) {
            avcodec.avcodec_send_packet(decoder, null);
            receive();
        }
    }

    private void receive() throws IOException {
        while (!past && avcodec.avcodec_receive_frame(decoder, decoded) >= 0) {
            double time = time();
            if (seen++ == 0) {
                first = time;
            }
            last = Math.max(last, time - first);
            past = last >= to;
            if (!past && last >= from) {
                keep();
            }
            avutil.av_frame_unref(decoded);
        }
    }

    /// When the frame is shown, in seconds. Bare streams carry no times: their frames are counted.
    private double time() {
        long stamp = decoded.best_effort_timestamp();
        return stamp == avutil.AV_NOPTS_VALUE ? seen / declaredRate() : stamp * avutil.av_q2d(stream.time_base());
    }

    private void keep() throws IOException {
        if (decoded.width() != sourceWidth || decoded.height() != sourceHeight || decoded.format() != sourceFormat) {
            convertFrom();
        }
        swscale.sws_scale(converter, decoded.data(), decoded.linesize(), 0, decoded.height(), rgb.data(), rgb.linesize());
        int row = rgb.width() * 3;
        var frame = new byte[row * rgb.height()];
        for (int y = 0; y < rgb.height(); y++) {
            rgb.data(0).position((long) y * rgb.linesize(0)).get(frame, y * row, row);
        }
        if ((kept.size() + 1L) * frame.length > Integer.MAX_VALUE - 8) {
            throw new InvalidFileException(
                    file,
                    "its frames of " + rgb.width() + "x" + rgb.height() + " exceed 2 GiB after " + kept.size()
                            + ": read a part of it, or scale it down first");
        }
        kept.add(frame);
    }

    /// Makes the converter for frames like the present one. The first frame sets the size; later ones of another size are scaled to it.
    private void convertFrom() throws IOException {
        sourceWidth = decoded.width();
        sourceHeight = decoded.height();
        sourceFormat = decoded.format();
        if (rgb.width() == 0) {
            Video.bytes(1, sourceHeight, sourceWidth);
            rgb.format(avutil.AV_PIX_FMT_RGB24);
            rgb.width(sourceWidth);
            rgb.height(sourceHeight);
            Ffmpeg.check(avutil.av_frame_get_buffer(rgb, 0), file, "no memory for a frame of " + sourceWidth + "x" + sourceHeight);
        }
        if (converter != null) {
            swscale.sws_freeContext(converter);
        }
        // Without a word in the file, ffmpeg and everything built on it take limited-range BT.601.
        boolean full = decoded.color_range() == avutil.AVCOL_RANGE_JPEG;
        converter = null; // should the next line fail, nothing is freed twice
        try {
            converter = Ffmpeg.converter(
                    sourceWidth,
                    sourceHeight,
                    sourceFormat,
                    full,
                    rgb.width(),
                    rgb.height(),
                    avutil.AV_PIX_FMT_RGB24,
                    true,
                    decoded.colorspace());
        } catch (IllegalArgumentException e) {
            throw new InvalidFileException(file, e.getMessage(), e);
        }
    }

    private Video video() throws IOException {
        if (seen == 0) {
            throw new InvalidFileException(file, NOT_A_VIDEO + " (not one frame can be decoded)");
        }
        double rate = rate();
        if (!past) {
            checkComplete(rate);
        }
        if (kept.isEmpty()) {
            throw new InvalidFileException(
                    file, "ends after " + seconds(last + 1 / rate) + ", before the part that starts at " + seconds(from));
        }
        var all = new byte[Video.bytes(kept.size(), rgb.height(), rgb.width())];
        int size = rgb.height() * rgb.width() * 3;
        for (int t = 0; t < kept.size(); t++) {
            System.arraycopy(kept.get(t), 0, all, t * size, size);
        }
        return Turn.of(new Video(kept.size(), rgb.height(), rgb.width(), rate, all), quarterTurns());
    }

    /// A file that was cut off in a download still opens when its index comes first.
    private void checkComplete(double rate) throws IOException {
        double promised = stream.duration() > 0
                ? stream.duration() * avutil.av_q2d(stream.time_base())
                : container.nb_streams() == 1 ? container.duration() / 1e6 : 0;
        double found = last + 1 / rate;
        if (found < 0.9 * promised) {
            throw new InvalidFileException(
                    file, "only the first " + seconds(found) + " of " + seconds(promised) + " can be decoded: is it cut off?");
        }
    }

    private static String seconds(double time) {
        return String.format(Locale.ROOT, "%.2f s", time);
    }

    private double declaredRate() {
        var rate = avformat.av_guess_frame_rate(container, stream, null);
        return rate.num() > 0 && rate.den() > 0 ? avutil.av_q2d(rate) : 25;
    }

    /// The declared rate, if the frames keep to it; otherwise their mean rate.
    private double rate() {
        double declared = declaredRate();
        double measured = seen > 1 && last > 0 ? (seen - 1) / last : declared;
        return Math.abs(measured / declared - 1) < 0.02 ? declared : measured;
    }

    /// Telephones film sideways and write down how to turn the picture. Counted clockwise.
    private int quarterTurns() {
        var parameters = stream.codecpar();
        var data = avcodec.av_packet_side_data_get(
                parameters.coded_side_data(), parameters.nb_coded_side_data(), avcodec.AV_PKT_DATA_DISPLAYMATRIX);
        if (data == null || data.size() < 36) {
            return 0;
        }
        double degrees = avutil.av_display_rotation_get(new IntPointer(data.data()));
        return Double.isNaN(degrees) ? 0 : Math.floorMod(Math.round(-degrees / 90), 4);
    }

    @Override
    public void close() {
        if (converter != null) {
            swscale.sws_freeContext(converter);
        }
        avutil.av_frame_free(rgb);
        avutil.av_frame_free(decoded);
        avcodec.av_packet_free(packet);
        if (decoder != null) {
            avcodec.avcodec_free_context(decoder);
        }
        avformat.avformat_close_input(container);
    }

    /// Turning a video by quarters.
    private static final class Turn {

        static Video of(Video video, int quarters) {
            var turned = video;
            for (int i = 0; i < quarters; i++) {
                turned = clockwise(turned);
            }
            return turned;
        }

        private static Video clockwise(Video video) {
            int rows = video.height();
            int columns = video.width();
            var out = new byte[video.rgb().length];
            for (int t = 0, to = 0; t < video.frames(); t++) {
                for (int y = 0; y < columns; y++) {
                    for (int x = 0; x < rows; x++, to += 3) {
                        System.arraycopy(video.rgb(), ((t * rows + rows - 1 - x) * columns + y) * 3, out, to, 3);
                    }
                }
            }
            return new Video(video.frames(), columns, rows, video.fps(), out);
        }
    }
}
