package otherwise.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import otherwise.io.Video;

/// What a layer makes of a video, channel by channel: `values` `[C, T, H, W]`, row-major.
public record FeatureMaps(float[] values, int channels, int frames, int height, int width) {

    /// @throws IllegalArgumentException if the sizes do not make up the number of values
    public FeatureMaps {
        if ((long) channels * frames * height * width != values.length) {
            throw new IllegalArgumentException(
                    channels + " x " + frames + " x " + height + " x " + width + " are not " + values.length + " values");
        }
    }

    /// From values with the channels last, `[T, H, W, C]`.
    public static FeatureMaps ofChannelsLast(float[] values, int frames, int height, int width, int channels) {
        var turned = new float[values.length];
        int places = frames * height * width;
        for (int p = 0; p < places; p++) for (int c = 0; c < channels; c++) turned[c * places + p] = values[p * channels + c];
        return new FeatureMaps(turned, channels, frames, height, width);
    }

    /// Rows of a [ContactSheet]: how strong all channels are together (root of the mean square), and then the `most` channels that vary
    /// most, each from its least value (black) to its greatest (light).
    public List<ContactSheet.Row> rows(int most) {
        int places = frames * height * width;
        var strength = new float[places];
        for (int c = 0; c < channels; c++) {
            for (int p = 0; p < places; p++) strength[p] += values[c * places + p] * values[c * places + p] / channels;
        }
        for (int p = 0; p < places; p++) strength[p] = (float) Math.sqrt(strength[p]);
        var rows = new ArrayList<ContactSheet.Row>();
        rows.add(new ContactSheet.Row("all " + channels, heat(strength, 0)));
        if (channels == 1) return rows;
        IntStream.range(0, channels).boxed().sorted(Comparator.comparingDouble(c -> -variance(c))).limit(most).forEach(c -> rows.add(
                new ContactSheet.Row(String.format(Locale.ROOT, "channel %d", c), heat(values, c * places))));
        return rows;
    }

    private double variance(int channel) {
        int places = frames * height * width;
        double sum = 0;
        double squares = 0;
        for (int p = channel * places; p < (channel + 1) * places; p++) {
            sum += values[p];
            squares += (double) values[p] * values[p];
        }
        return squares / places - sum / places * (sum / places);
    }

    private Video heat(float[] from, int offset) {
        int places = frames * height * width;
        float least = Float.MAX_VALUE;
        float greatest = -Float.MAX_VALUE;
        for (int p = offset; p < offset + places; p++) {
            least = Math.min(least, from[p]);
            greatest = Math.max(greatest, from[p]);
        }
        var rgb = new byte[3 * places];
        for (int p = 0; p < places; p++) {
            int color = HeatScale.color(greatest > least ? (from[offset + p] - least) / (greatest - least) : 0);
            for (int k = 0; k < 3; k++) rgb[3 * p + k] = (byte) (color >> 8 * (2 - k));
        }
        return new Video(frames, height, width, 1, rgb);
    }
}
