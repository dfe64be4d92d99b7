package otherwise.io;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.bytedeco.ffmpeg.avcodec.AVCodec;
import org.bytedeco.ffmpeg.avcodec.AVCodecContext;
import org.bytedeco.ffmpeg.avcodec.AVPacket;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVIOContext;
import org.bytedeco.ffmpeg.avformat.AVStream;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.global.avcodec;
import org.bytedeco.ffmpeg.global.avformat;
import org.bytedeco.ffmpeg.global.avutil;
import org.bytedeco.ffmpeg.global.swscale;
import org.bytedeco.ffmpeg.swscale.SwsContext;

/// Encodes a video into one file. The same video gives the same bytes: no times, no random identifiers.
final class FfmpegWriter implements AutoCloseable {
    /// Pixels up to which a video is coded frame by frame.
    private static final long SMALL = 256 * 256;

    /// An encoder by ffmpeg's name, and what to tell it.
    private record Encoder(String name, Map<String, String> options) {}

    /// How a video becomes a file: the container and what to tell it, the pixel format, and encoders in order of preference:
    /// where one fails at a video, the next is tried.
    record Format(String container, Map<String, String> options, int pixels, List<Encoder> encoders) {

        /// H.264 that every player shows, its quantiser held where no loss is to be seen. The ffmpeg build that comes with this program has
        /// OpenH264; one with x264 on the class path does better. The index is moved to the front, so that browsers start at once.
        static final Format H264 = new Format(
                "mp4",
                Map.of("movflags", "+faststart"),
                avutil.AV_PIX_FMT_YUV420P,
                List.of(
                        new Encoder("libx264", Map.of("crf", "12", "preset", "slow")),
                        new Encoder("libopenh264", Map.of("rc_mode", "quality", "b", "100000000", "qmin", "8", "qmax", "14")),
                        // Noise, at a quantiser so fine, outgrows OpenH264's buffer.
                        new Encoder("libopenh264", Map.of("rc_mode", "quality", "b", "100000000", "qmin", "24", "qmax", "44"))));

        /// FFV1 on RGB: what comes out is what went in, bit by bit.
        static final Format LOSSLESS = new Format(
                "matroska", Map.of(), avutil.AV_PIX_FMT_BGR0, List.of(new Encoder("ffv1", Map.of("level", "3", "slicecrc", "1"))));
    }

    private final Path file;
    private final Video video;
    private final Format format;
    private final AVFormatContext container = new AVFormatContext(null);
    private final AVPacket packet = avcodec.av_packet_alloc();
    private final AVFrame rgb = avutil.av_frame_alloc();
    private final AVFrame frame = avutil.av_frame_alloc();
    private AVCodecContext encoder;
    private AVStream stream;
    private SwsContext converter;

    private FfmpegWriter(Path file, Video video, Format format) {
        this.file = file;
        this.video = video;
        this.format = format;
    }

    /// Writes `video` to `target`, whole or not at all.
    ///
    /// @throws IOException if the file cannot be written, or this ffmpeg has none of the format's encoders
    static void write(Path target, Video video, Format format) throws IOException {
        Ffmpeg.load();
        var encoders = format.encoders().stream().filter(e -> avcodec.avcodec_find_encoder_by_name(e.name()) != null).toList();
        if (encoders.isEmpty()) {
            var names = format.encoders().stream().map(Encoder::name).collect(Collectors.joining(", "));
            throw new IOException("this ffmpeg has no encoder of " + names);
        }
        AtomicFile.writeFile(target, temporary -> {
            for (var encoder : encoders) {
                try {
                    write(temporary, video, format, encoder);
                    return;
                } catch (IOException e) {
                    if (encoder.equals(encoders.getLast())) throw e;
                }
            }
        });
    }

    private static void write(Path file, Video video, Format format, Encoder encoder) throws IOException {
        try (var writer = new FfmpegWriter(file, video, format)) {
            writer.open(encoder);
            for (int t = 0; t < video.frames(); t++) writer.encode(t);
            writer.finish();
        }
    }

    private void open(Encoder choice) throws IOException {
        var url = Ffmpeg.url(file);
        check(avformat.avformat_alloc_output_context2(container, null, format.container(), url));
        container.flags(container.flags() | AVFormatContext.AVFMT_FLAG_BITEXACT);
        openEncoder(avcodec.avcodec_find_encoder_by_name(choice.name()), choice);
        stream = avformat.avformat_new_stream(container, null);
        stream.time_base(encoder.time_base());
        stream.avg_frame_rate(encoder.framerate());
        check(avcodec.avcodec_parameters_from_context(stream.codecpar(), encoder));
        var output = new AVIOContext(null);
        check(avformat.avio_open(output, url, avformat.AVIO_FLAG_WRITE));
        container.pb(output);
        var options = dictionary(format.options());
        try {
            check(avformat.avformat_write_header(container, options));
        } finally {
            avutil.av_dict_free(options);
        }
        openConverter();
    }

    private void openEncoder(AVCodec codec, Encoder choice) throws IOException {
        var rate = avutil.av_d2q(video.fps(), 100_100); // 30000/1001 and its like come out exactly
        encoder = avcodec.avcodec_alloc_context3(codec);
        encoder.width(video.width());
        encoder.height(video.height());
        encoder.framerate(rate);
        encoder.time_base(avutil.av_inv_q(rate));
        encoder.pix_fmt(format.pixels());
        // In small pictures OpenH264 skips blocks whose brightness hardly changes, and a coloured object leaves trails: there, every frame
        // stands alone.
        boolean small = (long) video.width() * video.height() <= SMALL;
        encoder.gop_size(small ? 1 : Math.max(1, (int) Math.round(video.fps())));
        encoder.flags(encoder.flags() | avcodec.AV_CODEC_FLAG_BITEXACT);
        if (isYuv()) {
            // Said aloud, so that no player has to guess how the colours were made.
            encoder.colorspace(avutil.AVCOL_SPC_SMPTE170M);
            encoder.color_primaries(avutil.AVCOL_PRI_SMPTE170M);
            encoder.color_trc(avutil.AVCOL_TRC_SMPTE170M);
            encoder.color_range(avutil.AVCOL_RANGE_MPEG);
        }
        if ((container.oformat().flags() & avformat.AVFMT_GLOBALHEADER) != 0) {
            encoder.flags(encoder.flags() | avcodec.AV_CODEC_FLAG_GLOBAL_HEADER);
        }
        var options = dictionary(choice.options());
        try {
            check(avcodec.avcodec_open2(encoder, codec, options));
        } finally {
            avutil.av_dict_free(options);
        }
    }

    private void openConverter() throws IOException {
        buffer(rgb, avutil.AV_PIX_FMT_RGB24);
        buffer(frame, format.pixels());
        int width = video.width();
        int height = video.height();
        converter = Ffmpeg.converter(
                width, height, avutil.AV_PIX_FMT_RGB24, true, width, height, format.pixels(), !isYuv(), avutil.AVCOL_SPC_SMPTE170M);
    }

    private boolean isYuv() {
        return format.pixels() == avutil.AV_PIX_FMT_YUV420P;
    }

    private void buffer(AVFrame frame, int pixels) throws IOException {
        frame.format(pixels);
        frame.width(video.width());
        frame.height(video.height());
        check(avutil.av_frame_get_buffer(frame, 0));
    }

    private void encode(int t) throws IOException {
        int row = video.width() * 3;
        for (int y = 0; y < video.height(); y++) {
            rgb.data(0).position((long) y * rgb.linesize(0)).put(video.rgb(), (t * video.height() + y) * row, row);
        }
        check(avutil.av_frame_make_writable(frame)); // the encoder may still be looking at the last picture
        swscale.sws_scale(converter, rgb.data(), rgb.linesize(), 0, video.height(), frame.data(), frame.linesize());
        frame.pts(t);
        send(frame);
    }

    private void send(AVFrame next) throws IOException {
        check(avcodec.avcodec_send_frame(encoder, next));
        while (avcodec.avcodec_receive_packet(encoder, packet) >= 0) {
            packet.stream_index(stream.index());
            // Encoders leave the length of a frame open; without it the last one would count for nothing in the file's rate.
            packet.duration(1);
            avcodec.av_packet_rescale_ts(packet, encoder.time_base(), stream.time_base());
            check(avformat.av_interleaved_write_frame(container, packet));
        }
    }

    private void finish() throws IOException {
        send(null);
        check(avformat.av_write_trailer(container));
        check(avformat.avio_close(container.pb()));
        container.pb(null);
    }

    private static AVDictionary dictionary(Map<String, String> options) {
        var dictionary = new AVDictionary(null);
        options.forEach((key, value) -> avutil.av_dict_set(dictionary, key, value, 0));
        return dictionary;
    }

    /// The target is named by whoever knows it; the temporary file's name would only confuse.
    private void check(int code) throws IOException {
        if (code < 0) {
            throw new IOException("ffmpeg: " + Ffmpeg.reason(code));
        }
    }

    @Override
    public void close() {
        if (converter != null) {
            swscale.sws_freeContext(converter);
        }
        avutil.av_frame_free(frame);
        avutil.av_frame_free(rgb);
        avcodec.av_packet_free(packet);
        if (encoder != null) {
            avcodec.avcodec_free_context(encoder);
        }
        if (container.pb() != null) {
            avformat.avio_close(container.pb());
        }
        avformat.avformat_free_context(container);
    }
}
