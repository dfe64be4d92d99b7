package otherwise.explain;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import otherwise.backend.Backend;
import otherwise.models.clip.ClipConfig;
import otherwise.models.clip.ClipVision;
import otherwise.models.swin.SwinConfig;
import otherwise.models.swin.VideoSwin;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanConfig;
import otherwise.models.wan.WanTransformer;
import otherwise.models.wan.WanVae;
import otherwise.models.wan.WanVaeConfig;
import otherwise.nn.Weights;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;
import otherwise.train.Initializer;
import otherwise.train.Parameters;

/// The real architectures, as small as they get, with random weights, in a folder of model files.
public final class TinyModels {
    public static final VideoFormat FORMAT = new VideoFormat(5, 32, 32, 8);
    public static final List<String> CLASSES = List.of("up", "down", "left");
    static final SwinConfig SWIN = new SwinConfig(List.of(2, 4, 4), 8, List.of(1, 1), List.of(1, 2), List.of(2, 4, 4), 2, 3, 1e-5);
    public static final WanVaeConfig VAE = new WanVaeConfig(4, 16, List.of(1, 1, 2, 2), 1, List.of(), List.of(false, true, true));
    public static final WanConfig DIT = new WanConfig("i2v", List.of(1, 2, 2), 3, 36, 16, 32, 16, 8, 16, 2, 2, true, true, 1e-6, 12);
    public static final ClipConfig CLIP = new ClipConfig(16, 8, 12, 2, 2, 2, true, ClipConfig.Activation.GELU, 1e-5);

    private TinyModels() {}

    /// The parameters that a network asks for, scaled so that signals keep their size.
    static Map<String, Tensor> weights(Backend backend, long seed, java.util.function.Consumer<Weights> load) {
        Initializer initializer = (name, shape, random) -> Initializer.scaled(name, shape, random, 1);
        var parameters = new Parameters(backend, initializer, seed);
        load.accept(Weights.of(parameters));
        var map = new LinkedHashMap<String, Tensor>();
        for (int i = 0; i < parameters.names().size(); i++) map.put(parameters.names().get(i), parameters.variables().get(i).detach());
        return map;
    }

    /// Writes all three files.
    public static ModelFiles write(Path folder, Backend backend) throws IOException {
        return write(folder, backend, FORMAT);
    }

    /// Writes all three files, for videos of another size. Of those of a single frame the classifier sees that one, of others two.
    static ModelFiles write(Path folder, Backend backend, VideoFormat format) throws IOException {
        var files = new ModelFiles(folder);
        try (var _ = backend.scope()) {
            var notes = Map.of("origin", "random");
            int seen = Math.min(2, format.frames());
            files.writeClassifier(SWIN, CLASSES, seen, seen, format, weights(backend, 1, w -> VideoSwin.load(w, SWIN)), notes);
            var mean = new float[16];
            var std = new float[16];
            for (int c = 0; c < 16; c++) {
                mean[c] = 0.01f * c;
                std[c] = 0.5f + 0.05f * c;
            }
            files.writeVae(VAE, mean, std, weights(backend, 2, w -> WanVae.load(w, VAE, scale(mean, std))), notes);
            files.writeGenerator(
                    DIT, CLIP, Random.philox(3, 0).normal(backend, 3, 8), 3, format, weights(backend, 4, w -> WanTransformer.load(w, DIT)),
                    weights(backend, 5, w -> ClipVision.load(w, CLIP)), notes);
        }
        return files;
    }

    private static LatentScale scale(float[] mean, float[] std) {
        var m = new java.util.ArrayList<Float>();
        var s = new java.util.ArrayList<Float>();
        for (int c = 0; c < mean.length; c++) {
            m.add(mean[c]);
            s.add(std[c]);
        }
        return new LatentScale(m, s);
    }
}
