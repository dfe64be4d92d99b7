package otherwise.explain;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.io.InvalidFileException;
import otherwise.io.TensorFile;
import otherwise.io.WeightFile;
import otherwise.models.clip.ClipConfig;
import otherwise.models.clip.ClipNames;
import otherwise.models.clip.ClipVision;
import otherwise.models.swin.SwinConfig;
import otherwise.models.swin.SwinNames;
import otherwise.models.swin.VideoSwin;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanConfig;
import otherwise.models.wan.WanNames;
import otherwise.models.wan.WanTransformer;
import otherwise.models.wan.WanVae;
import otherwise.models.wan.WanVaeConfig;
import otherwise.nn.Names;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// Opens the files of [ModelFiles]. Weights are read into the innermost scope of the device.
///
/// Whatever does not fit is one line that names the file: a wrong kind, a config that makes no network, a tensor that is missing or has
/// another shape, a tensor that no layer asked for. Networks may be stored under any naming that we know ([NamedFile]).
public final class Models {
    private Models() {}

    /// Opens the classifier.
    ///
    /// @throws IOException if the file is missing or holds something else
    public static Classifier classifier(ModelFiles files, Backend backend) throws IOException {
        try (var file = new Opened(files.classifier(), "video-swin")) {
            var config = file.record("config", SwinConfig.class);
            var classes = classes(file);
            var clip = new Classifier.Clip((int) file.number("frames"), (int) file.number("stride"));
            return file.fitting(() -> {
                var network = VideoSwin.load(file.weights(backend, "", SwinNames.ALL), config);
                file.requireAllUsed();
                return new SwinClassifier(network, classes, clip, file.video());
            });
        }
    }

    /// Opens the autoencoder.
    ///
    /// @throws IOException if the file is missing or holds something else
    public static WanVae vae(ModelFiles files, Backend backend) throws IOException {
        try (var file = new Opened(files.vae(), "wan-vae")) {
            var json = file.json("config");
            return file.fitting(() -> {
                var config = WanVaeConfig.of(json);
                // The published file holds no statistics; they stand in the official code.
                boolean published = config.equals(WanVaeConfig.wan2_1()) && !file.contains("latents_mean");
                var scale = published ? LatentScale.wan2_1() : new LatentScale(file.list("latents_mean"), file.list("latents_std"));
                var vae = WanVae.load(file.weights(backend, "", WanNames.vae(config.numResBlocks())), config, scale);
                file.requireAllUsed();
                return vae;
            });
        }
    }

    /// Opens the generator, which needs the autoencoder too.
    ///
    /// @throws IOException if a file is missing or holds something else
    public static WanGenerator generator(ModelFiles files, Backend backend) throws IOException {
        var vae = vae(files, backend);
        try (var file = new Opened(files.generator(), "wan-i2v")) {
            var dit = file.json("dit");
            var clip = file.record("clip", ClipConfig.class);
            double shift = file.number("shift");
            return file.fitting(() -> {
                var transformer = WanTransformer.load(file.weights(backend, "dit.", WanNames.TRANSFORMER), WanConfig.of(dit));
                var vision = ClipVision.load(file.weights(backend, "clip.", ClipNames.ALL), clip);
                var text = file.tensor("prompt", backend);
                var prompt = text.reshape(-1, text.dim(-1)); // a batch of one is a text too
                file.requireAllUsed();
                return new WanGenerator(transformer, vae, vision, prompt, shift, file.video());
            });
        }
    }

    /// What videos the generator makes, without reading its weights.
    ///
    /// @throws IOException if the file is missing or holds something else
    public static VideoFormat format(ModelFiles files) throws IOException {
        try (var file = new Opened(files.generator(), "wan-i2v")) {
            return file.video();
        }
    }

    /// What videos the classifier takes, without reading its weights.
    ///
    /// @throws IOException if the file is missing or holds something else
    public static VideoFormat classified(ModelFiles files) throws IOException {
        try (var file = new Opened(files.classifier(), "video-swin")) {
            return file.video();
        }
    }

    /// The classes that the classifier knows, without reading its weights.
    ///
    /// @throws IOException if the file is missing or holds something else
    public static List<String> classes(ModelFiles files) throws IOException {
        try (var file = new Opened(files.classifier(), "video-swin")) {
            return classes(file);
        }
    }

    private static List<String> classes(Opened classifier) throws IOException {
        return List.of(classifier.record("classes", String[].class));
    }

    /// A model file under construction: reads its entries, and notes which tensors were asked for.
    private static final class Opened implements AutoCloseable {
        private final TensorFile file;
        private final Set<String> used = new HashSet<>();

        Opened(Path path, String kind) throws IOException {
            file = TensorFile.open(path);
            var found = file.metadata().get("kind");
            if (!kind.equals(found)) {
                file.close();
                throw new InvalidFileException(path,
                        "its kind is " + (found == null ? "not given" : "'" + found + "'") + ", expected '" + kind + "'");
            }
        }

        @Override
        public void close() {
            file.close();
        }

        private String entry(String name) throws IOException {
            var value = file.metadata().get(name);
            if (value == null) throw new InvalidFileException(file.path(), "has no metadata '" + name + "'");
            return value;
        }

        double number(String name) throws IOException {
            try {
                return Double.parseDouble(entry(name));
            } catch (NumberFormatException e) {
                throw new InvalidFileException(file.path(), "metadata '" + name + "' is no number: " + entry(name), e);
            }
        }

        JsonNode json(String name) throws IOException {
            return record(name, JsonNode.class);
        }

        <T> T record(String name, Class<T> type) throws IOException {
            return ModelFiles.entry(file, name, type);
        }

        VideoFormat video() throws IOException {
            return new VideoFormat((int) number("video_frames"), (int) number("height"), (int) number("width"), number("fps"));
        }

        boolean contains(String name) {
            return file.contains(name);
        }

        List<Float> list(String name) throws IOException {
            if (!file.contains(name)) throw new InvalidFileException(file.path(), "has no tensor '" + name + "'");
            used.add(name);
            var list = new ArrayList<Float>();
            for (float v : file.floats(name)) list.add(v);
            return list;
        }

        Tensor tensor(String name, Backend backend) throws IOException {
            if (!file.contains(name)) throw new InvalidFileException(file.path(), "has no tensor '" + name + "'");
            used.add(name);
            return WeightFile.upload(file, name, backend);
        }

        /// The part of the file below `folder`, under our names.
        Weights weights(Backend backend, String folder, List<Names> known) {
            var named = NamedFile.of(file, folder, known);
            named.spare().forEach(name -> used.addAll(named.stored(name)));
            var source = new WeightFile(named, backend);
            return Weights.of(new Weights.Source() {
                @Override
                public Tensor tensor(String name, Shape expected) {
                    used.addAll(named.stored(name));
                    return source.apply(name);
                }

                @Override
                public boolean has(String name) {
                    return source.has(name);
                }
            });
        }

        void requireAllUsed() throws IOException {
            var spare = new ArrayList<>(file.names());
            spare.removeIf(used::contains);
            if (!spare.isEmpty()) {
                throw new InvalidFileException(
                        file.path(), spare.size() + " tensors do not belong to a network of this config, the first is " + spare.getFirst());
            }
        }

        /// Runs what builds a network, and puts the file's name before what is wrong with it.
        <T> T fitting(Building<T> building) throws IOException {
            try {
                return building.build();
            } catch (IllegalArgumentException e) {
                throw new InvalidFileException(file.path(), String.valueOf(e.getMessage()), e);
            }
        }
    }

    private interface Building<T> {
        T build() throws IOException;
    }
}
