package otherwise.io;

import java.util.stream.IntStream;

/// Scaling of pictures by a triangle filter, as Pillow's `BILINEAR` and torch's `antialias=True` do it.
///
/// Output pixel i lies at s·(i + ½) in the input, s = input size / output size. It is the mean of the input pixels there, weighted by
/// `max(0, 1 − |distance| / max(s, 1))`: plain linear interpolation when enlarging, a wider tent when shrinking.
final class Resampling {

    private Resampling() {}

    /// A height and a width.
    record Size(int height, int width) {}

    /// For each output pixel, the first input pixel that matters and the weights from there on, which sum to 1.
    private record Taps(int[] first, float[][] weights) {

        static Taps of(int input, int output, int skipped, int kept) {
            double scale = (double) input / output;
            double reach = Math.max(scale, 1);
            var first = new int[kept];
            var weights = new float[kept][];
            for (int i = 0; i < kept; i++) {
                double centre = scale * (i + skipped + 0.5);
                int from = (int) Math.max(0, Math.floor(centre - reach + 0.5));
                int to = (int) Math.min(input, Math.floor(centre + reach + 0.5));
                first[i] = from;
                weights[i] = tent(centre, reach, from, to);
            }
            return new Taps(first, weights);
        }

        private static float[] tent(double centre, double reach, int from, int to) {
            var raw = IntStream.range(from, to)
                    .mapToDouble(j -> Math.max(0, 1 - Math.abs(j + 0.5 - centre) / reach))
                    .toArray();
            double sum = 0;
            for (double w : raw) {
                sum += w;
            }
            var weights = new float[raw.length];
            for (int j = 0; j < raw.length; j++) {
                weights[j] = (float) (raw[j] / sum);
            }
            return weights;
        }
    }

    /// The smallest size of the same proportions that covers `toHeight` x `toWidth`: one side fits, the other is at least as long.
    static Size covering(int height, int width, int toHeight, int toWidth) {
        double scale = Math.max((double) toHeight / height, (double) toWidth / width);
        return new Size(
                Math.max(toHeight, (int) Math.min(Integer.MAX_VALUE, Math.round(height * scale))),
                Math.max(toWidth, (int) Math.min(Integer.MAX_VALUE, Math.round(width * scale))));
    }

    /// All frames scaled to [#covering] and cropped in the middle: `[T, toHeight, toWidth, 3]`. Frames are worked on in parallel; none
    /// depends on another.
    static byte[] coverAndCrop(Video video, int toHeight, int toWidth) {
        if (toHeight < 1 || toWidth < 1) {
            throw new IllegalArgumentException("no picture is " + toWidth + "x" + toHeight);
        }
        var whole = covering(video.height(), video.width(), toHeight, toWidth);
        var rows = Taps.of(video.height(), whole.height(), (whole.height() - toHeight) / 2, toHeight);
        var columns = Taps.of(video.width(), whole.width(), (whole.width() - toWidth) / 2, toWidth);
        var out = new byte[Video.bytes(video.frames(), toHeight, toWidth)];
        IntStream.range(0, video.frames()).parallel().forEach(t -> frame(video, t, rows, columns, out));
        return out;
    }

    /// First across, then down. What lies in between is float, so that only the result is rounded.
    private static void frame(Video video, int t, Taps rows, Taps columns, byte[] out) {
        int outHeight = rows.first().length;
        int outWidth = columns.first().length;
        int top = rows.first()[0];
        int bottom = rows.first()[outHeight - 1] + rows.weights()[outHeight - 1].length;
        var across = new float[(bottom - top) * outWidth * 3];
        for (int y = top, to = 0; y < bottom; y++) {
            int row = (t * video.height() + y) * video.width();
            for (int x = 0; x < outWidth; x++) {
                for (int c = 0; c < 3; c++, to++) {
                    int from = (row + columns.first()[x]) * 3 + c;
                    float sum = 0;
                    for (float w : columns.weights()[x]) {
                        sum += w * (video.rgb()[from] & 0xFF);
                        from += 3;
                    }
                    across[to] = sum;
                }
            }
        }
        for (int y = 0, to = t * outHeight * outWidth * 3; y < outHeight; y++) {
            int start = (rows.first()[y] - top) * outWidth * 3;
            for (int i = 0; i < outWidth * 3; i++, to++) {
                float sum = 0;
                int from = start + i;
                for (float w : rows.weights()[y]) {
                    sum += w * across[from];
                    from += outWidth * 3;
                }
                out[to] = (byte) Math.clamp(Math.round(sum), 0, 255);
            }
        }
    }
}
