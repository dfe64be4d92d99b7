package otherwise.explain;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.io.InvalidFileException;
import otherwise.io.ShardedSafetensors;
import otherwise.io.TensorFile;
import otherwise.models.clip.ClipConfig;
import otherwise.models.clip.ClipNames;
import otherwise.models.clip.ClipVision;
import otherwise.models.umt5.Umt5Names;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanConfig;
import otherwise.models.wan.WanNames;
import otherwise.models.wan.WanTransformer;
import otherwise.models.wan.WanVae;
import otherwise.models.wan.WanVaeConfig;
import otherwise.nn.Inventory;
import otherwise.nn.Names;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// A downloaded image-to-video model: the transformer, the autoencoder, CLIP and, where prompts are to be encoded, umT5 and its tokenizer.
///
/// What each file is, the names of its tensors tell, so the official layout serves as well as diffusers', and so does any other with one file
/// (or index of shards) a network, at most two folders deep. Files are mapped, and read when a layer's turn comes.
public final class WanFolder implements AutoCloseable {

    /// The networks of a folder.
    private enum Part {
        TRANSFORMER("a Wan transformer"), VAE("the Wan autoencoder"), CLIP("CLIP's image encoder"), TEXT("the umT5 encoder");

        private final String title;

        Part(String title) {
            this.title = title;
        }

        private List<Names> names() {
            return switch (this) {
                case TRANSFORMER -> WanNames.TRANSFORMER;
                case VAE -> WanNames.vae(WanVaeConfig.wan2_1().numResBlocks());
                case CLIP -> ClipNames.ALL;
                case TEXT -> Umt5Names.ALL;
            };
        }
    }

    private final Path folder;
    private final Map<Part, NamedFile> files = new EnumMap<>(Part.class);
    private Path tokenizer;
    private WanConfig transformer;
    private WanVaeConfig vae;
    private LatentScale scale;
    private ClipConfig clip;

    private WanFolder(Path folder) {
        this.folder = folder;
    }

    /// Finds the networks of a folder, and compares their tensors with what they must have.
    ///
    /// @throws IOException if the transformer, the autoencoder or CLIP is missing, found twice, or lacks a tensor
    public static WanFolder open(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) throw new InvalidFileException(folder, "no such folder");
        var opened = new WanFolder(folder);
        try {
            opened.find();
            opened.describe();
            return opened;
        } catch (IOException | RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    private void find() throws IOException {
        List<Path> all;
        try (var walk = Files.walk(folder, 3)) {
            // A hidden file is what an interrupted copy or download left behind.
            all = walk.filter(f -> Files.isRegularFile(f) && !f.getFileName().toString().startsWith(".")).sorted().toList();
        }
        var shards = new HashSet<Path>();
        for (var file : all) {
            if (!file.toString().endsWith(".index.json")) continue;
            var index = ShardedSafetensors.open(file);
            shards.addAll(index.shards());
            take(index);
        }
        for (var file : all) {
            var name = file.getFileName().toString();
            if (name.equals("tokenizer.json") || (name.equals("spiece.model") && tokenizer == null)) tokenizer = file;
            boolean tensors = name.endsWith(".safetensors") || name.endsWith(".pth") || name.endsWith(".pt");
            if (tensors && !shards.contains(file)) take(TensorFile.open(file));
        }
    }

    private void take(TensorFile file) throws IOException {
        for (var part : Part.values()) {
            // CLIP comes before umT5, because its file holds a text encoder too.
            var named = NamedFile.of(file, part.names());
            if (named.naming().isEmpty()) continue;
            var other = files.putIfAbsent(part, named);
            if (other == null) return;
            file.close();
            throw new InvalidFileException(folder, "holds " + part.title + " twice: " + other.path() + " and " + file.path());
        }
        file.close();
    }

    private void describe() throws IOException {
        for (var part : List.of(Part.TRANSFORMER, Part.VAE, Part.CLIP)) {
            if (!files.containsKey(part)) throw new InvalidFileException(folder, "no file in it holds " + part.title);
        }
        transformer = stated(Part.TRANSFORMER, "config", JsonNode.class).map(WanConfig::of).orElse(null);
        if (transformer == null) transformer = fitting(Part.TRANSFORMER, () -> WanConfig.ofShapes(shapes(Part.TRANSFORMER)));
        vae = stated(Part.VAE, "config", JsonNode.class).map(WanVaeConfig::of).orElse(WanVaeConfig.wan2_1());
        clip = stated(Part.CLIP, "config", ClipConfig.class).orElse(ClipConfig.vitH14());
        // The published autoencoder holds no statistics; they stand in the official code.
        scale = files.get(Part.VAE).contains("latents_mean")
                ? new LatentScale(list("latents_mean"), list("latents_std"))
                : LatentScale.wan2_1();
        require(Part.TRANSFORMER, w -> WanTransformer.load(w, transformer));
        require(Part.VAE, w -> WanVae.load(w, vae, scale));
        require(Part.CLIP, w -> ClipVision.load(w, clip));
    }

    private <T> Optional<T> stated(Part part, String entry, Class<T> type) throws IOException {
        var file = files.get(part);
        return file.metadata().containsKey(entry) ? Optional.of(ModelFiles.entry(file, entry, type)) : Optional.empty();
    }

    private Function<String, Shape> shapes(Part part) {
        var file = files.get(part);
        return name -> file.contains(name) ? Shape.of(file.entry(name).shape()) : null;
    }

    private List<Float> list(String name) {
        var list = new ArrayList<Float>();
        for (float v : files.get(Part.VAE).floats(name)) list.add(v);
        return list;
    }

    private <T> T fitting(Part part, Supplier<T> f) throws IOException {
        try {
            return f.get();
        } catch (IllegalArgumentException e) {
            throw new InvalidFileException(files.get(part).path(), String.valueOf(e.getMessage()), e);
        }
    }

    private void require(Part part, Consumer<Weights> load) throws IOException {
        var file = files.get(part);
        for (var wanted : fitting(part, () -> Inventory.of(load)).entrySet()) {
            var name = wanted.getKey();
            if (file.fits(name, wanted.getValue())) continue;
            throw new InvalidFileException(file.path(), file.contains(name)
                    ? name + " is " + Shape.of(file.entry(name).shape()) + ", expected " + wanted.getValue()
                    : "has no tensor " + name + " " + wanted.getValue());
        }
    }

    /// The sizes of the transformer.
    public WanConfig config() {
        return transformer;
    }

    /// The file of the text encoder, if there is one.
    public Optional<Path> textEncoder() {
        return Optional.ofNullable(files.get(Part.TEXT)).map(NamedFile::path);
    }

    /// Its tokenizer, if there is one.
    public Optional<Path> tokenizer() {
        return Optional.ofNullable(tokenizer);
    }

    /// The driver, without a text encoder: contexts come from [PromptEmbedding]. The blocks of transformer and CLIP are read when their turn
    /// comes; the rest is read now, into the innermost scope.
    public WanPipeline pipeline(Backend backend) {
        return new WanPipeline(
                null,
                ClipVision.stream(files.get(Part.CLIP).weights(backend), clip),
                WanVae.load(files.get(Part.VAE).weights(backend), vae, scale),
                WanTransformer.stream(files.get(Part.TRANSFORMER).weights(backend), transformer));
    }

    /// What [WanPipeline#generate] will take of a device, weights included.
    ///
    /// @param height of the image; `width` likewise
    /// @param tokens of the longer prompt
    /// @param guided whether there is a negative prompt
    public Backend.Memory memory(Backend backend, long height, long width, int tokens, boolean guided, WanPipeline.Options options)
            throws IOException {
        // From the third step on every step takes the same: no solver remembers more than two.
        int steps = Math.min(3, options.steps());
        var fewest = new WanPipeline.Options(
                options.sampler(), steps, options.shift(), options.guidance(), options.frames(), options.maxArea());
        return Rehearsal.of(backend, dry -> {
            var pipeline = pipeline(dry);
            var image = Tensor.blank(dry, Shape.of(3, height, width));
            var context = Tensor.blank(dry, Shape.of(tokens, transformer.textDim()));
            var noise = Tensor.blank(dry, pipeline.latent(image, fewest));
            var contextNull = guided ? Tensor.blank(dry, context.shape()) : null;
            pipeline.generate(image, context, contextNull, noise, fewest, WanPipeline.Listener.NONE);
        });
    }

    @Override
    public void close() {
        new ArrayList<>(files.values()).forEach(NamedFile::close);
    }
}
