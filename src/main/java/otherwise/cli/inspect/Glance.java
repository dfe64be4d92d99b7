package otherwise.cli.inspect;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import otherwise.autograd.Activations;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.explain.ModelFiles;
import otherwise.explain.Models;
import otherwise.explain.Question;
import otherwise.explain.VideoFormat;
import otherwise.explain.WanGenerator;
import otherwise.io.TensorFile;
import otherwise.io.Video;
import otherwise.nn.Trace;
import otherwise.report.ContactSheet;
import otherwise.report.FeatureMaps;
import otherwise.report.Table;
import otherwise.tensor.Random;
import otherwise.tensor.Tape;

/// One run of a network on a video, and what its layers noted on the way.
///
/// @param grid frames, rows and columns of the transformer's tokens, for a generator; `null` otherwise
record Glance(Video video, long[] grid, Map<String, Note> notes) {

    /// What a layer made, on the host.
    record Note(Shape shape, float[] values) {}

    /// Runs the network of a model file.
    ///
    /// @param level how much noise a generator's input has, 0 … 1
    /// @param seed of that noise
    static Glance of(Path file, Backend backend, Videos videos, double level, long seed) throws IOException {
        String kind;
        try (var opened = TensorFile.open(file)) {
            kind = opened.metadata().getOrDefault("kind", "");
        }
        var files = new ModelFiles(file.toAbsolutePath().getParent());
        if (!List.of(ModelFiles.CLASSIFIER, ModelFiles.VAE, ModelFiles.GENERATOR).contains(file.getFileName().toString())) kind = "";
        var notes = new LinkedHashMap<String, Note>();
        try (var _ = backend.scope();
                var _ = Tape.off();
                var _ = Trace.listen((name, x) -> notes.put(name, new Note(x.shape(), x.floats())))) {
            return switch (kind) {
                case "video-swin" -> {
                    var classifier = Models.classifier(files, backend);
                    var video = videos.prepared(classifier.video());
                    classifier.logits(Question.tensor(video, backend), 0);
                    yield new Glance(video, null, notes);
                }
                case "wan-vae" -> {
                    var vae = Models.vae(files, backend);
                    var video = videos.prepared(null);
                    vae.decode(vae.encode(Question.tensor(video, backend)));
                    yield new Glance(video, null, notes);
                }
                case "wan-i2v" -> {
                    var generator = Models.generator(files, backend);
                    var video = videos.prepared(generator.video());
                    var pixels = Question.tensor(video, backend);
                    var latent = generator.encode(pixels);
                    var flow = generator.condition(pixels.slice(2, 0, 1), 1, Activations.KEEP);
                    var noise = Random.philox(seed, 0).normal(backend, latent.shape().dims());
                    notes.clear(); // of what came before the transformer
                    flow.at(latent.times(1 - level).add(noise.times(level)), 1000 * level);
                    yield new Glance(video, grid(generator), notes);
                }
                default -> throw new IllegalArgumentException(
                        file + ": --run takes classifier.safetensors, vae.safetensors or generator.safetensors of a folder of models");
            };
        }
    }

    /// The video that was asked for, fit for a network of this format (`null`: in its own size).
    interface Videos {
        Video prepared(VideoFormat format) throws IOException;
    }

    private static long[] grid(WanGenerator generator) {
        var z = generator.latent();
        var c = generator.transformer().config();
        return new long[] {z.dim(2) / c.patchT(), z.dim(3) / c.patchH(), z.dim(4) / c.patchW()};
    }

    /// A line for every layer.
    String table() {
        var table = Table.of("layer", "shape", "mean", "deviation", "least", "greatest");
        notes.forEach((name, note) -> {
            double sum = 0;
            double squares = 0;
            double least = Double.POSITIVE_INFINITY;
            double greatest = Double.NEGATIVE_INFINITY;
            for (float v : note.values) {
                sum += v;
                squares += (double) v * v;
                least = Math.min(least, v);
                greatest = Math.max(greatest, v);
            }
            double mean = sum / note.values.length;
            double deviation = Math.sqrt(Math.max(0, squares / note.values.length - mean * mean));
            table.row(name, note.shape.toString(), number(mean), number(deviation), number(least), number(greatest));
        });
        return table.text();
    }

    private static String number(double x) {
        return String.format(Locale.ROOT, "%.4g", x);
    }

    private Note note(String layer) {
        var note = notes.get(layer);
        if (note == null) throw new IllegalArgumentException("no layer '" + layer + "'; without --layer, all are listed");
        return note;
    }

    /// The video above, and what the layer made of it below.
    ///
    /// @throws IllegalArgumentException if there is no such layer, or it has no place in the picture
    List<ContactSheet.Row> maps(String layer, int channels) {
        var rows = new ArrayList<ContactSheet.Row>();
        rows.add(new ContactSheet.Row("video", video));
        rows.addAll(features(layer, note(layer)).rows(channels));
        return rows;
    }

    private FeatureMaps features(String layer, Note note) {
        var s = note.shape;
        if (grid != null && s.rank() >= 3 && s.dim(1) == tokens()) {
            return FeatureMaps.ofChannelsLast(note.values, (int) grid[0], (int) grid[1], (int) grid[2], (int) (s.size() / tokens()));
        }
        // The autoencoder's channels come second, the classifier's last.
        boolean last = layer.startsWith("features") || layer.equals("patch_embed") || layer.equals("norm");
        if (s.rank() == 5 && last) {
            return FeatureMaps.ofChannelsLast(note.values, (int) s.dim(1), (int) s.dim(2), (int) s.dim(3), (int) s.dim(4));
        }
        if (s.rank() == 5) return new FeatureMaps(note.values, (int) s.dim(1), (int) s.dim(2), (int) s.dim(3), (int) s.dim(4));
        throw new IllegalArgumentException(layer + " " + s + " has no place in the picture: no map of it can be drawn");
    }

    private long tokens() {
        return grid[0] * grid[1] * grid[2];
    }

    /// Where the token at a pixel of a frame looks, in a layer of self-attention: the mean over heads, and every head.
    ///
    /// @param layer the path of the attention, of which queries and keys were noted
    /// @param at frame, row and column in the video
    List<ContactSheet.Row> attention(String layer, int[] at) {
        if (grid == null || !notes.containsKey(layer + ".q_rope")) {
            throw new IllegalArgumentException("--at: '" + layer + "' is no self-attention of a generator, such as blocks.0.self_attn");
        }
        if (at[0] < 0 || at[0] >= video.frames() || at[1] < 0 || at[1] >= video.height() || at[2] < 0 || at[2] >= video.width()) {
            throw new IllegalArgumentException("--at " + at[0] + "," + at[1] + "," + at[2] + ": the video has " + video.frames()
                    + " frames of " + video.height() + " rows and " + video.width() + " columns");
        }
        // The first frame has a latent frame of its own, the others share the rest equally.
        long frame = at[0] == 0 || grid[0] == 1 ? 0 : 1 + (at[0] - 1) * (grid[0] - 1) / (video.frames() - 1);
        long row = at[1] * grid[1] / video.height();
        long column = at[2] * grid[2] / video.width();
        int token = (int) ((frame * grid[1] + row) * grid[2] + column);
        var q = note(layer + ".q_rope");
        var k = note(layer + ".k_rope");
        int heads = (int) q.shape.dim(2);
        int width = (int) q.shape.dim(3);
        int tokens = (int) tokens();
        var weights = new float[heads * tokens];
        for (int h = 0; h < heads; h++) {
            double most = Double.NEGATIVE_INFINITY;
            for (int t = 0; t < tokens; t++) {
                double score = 0;
                for (int d = 0; d < width; d++) {
                    score += (double) q.values[(token * heads + h) * width + d] * k.values[(t * heads + h) * width + d];
                }
                weights[h * tokens + t] = (float) (score / Math.sqrt(width));
                most = Math.max(most, weights[h * tokens + t]);
            }
            double sum = 0;
            for (int t = 0; t < tokens; t++) sum += Math.exp(weights[h * tokens + t] - most);
            for (int t = 0; t < tokens; t++) weights[h * tokens + t] = (float) (Math.exp(weights[h * tokens + t] - most) / sum);
        }
        var mean = new float[tokens];
        for (int i = 0; i < weights.length; i++) mean[i % tokens] += weights[i] / heads;
        var rows = new ArrayList<ContactSheet.Row>();
        rows.add(new ContactSheet.Row("video", video));
        rows.add(new ContactSheet.Row("all " + heads + " heads", heat(mean)));
        for (int h = 0; h < heads; h++) {
            rows.add(new ContactSheet.Row("head " + h, heat(Arrays.copyOfRange(weights, h * tokens, (h + 1) * tokens))));
        }
        return rows;
    }

    private Video heat(float[] values) {
        return new FeatureMaps(values, 1, (int) grid[0], (int) grid[1], (int) grid[2]).rows(0).getFirst().video();
    }
}
