package otherwise.explain;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import otherwise.backend.Shape;
import otherwise.io.InvalidFileException;
import otherwise.io.TensorFile;
import otherwise.models.clip.ClipConfig;
import otherwise.models.clip.ClipNames;
import otherwise.models.clip.ClipVision;
import otherwise.models.swin.SwinConfig;
import otherwise.models.swin.SwinNames;
import otherwise.models.swin.VideoSwin;
import otherwise.models.umt5.Umt5Config;
import otherwise.models.umt5.Umt5Encoder;
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

/// What the file of a model must hold: known without reading a weight, from the network itself.
///
/// @param parts the networks in it
/// @param besides tensors that it may hold and that belong to no network
public record Blueprint(String name, String what, List<Part> parts, Set<String> besides) {

    /// One network of a file.
    ///
    /// @param folder what stands before its tensors' names in the file
    /// @param known the namings under which its checkpoints go about
    /// @param expected names and shapes of its tensors, by our names
    public record Part(String folder, List<Names> known, Map<String, Shape> expected) {

        private long found(NamedFile file) {
            return expected.entrySet().stream().filter(e -> file.contains(e.getKey()) && file.fits(e.getKey(), e.getValue())).count();
        }
    }

    /// The published models that we know. A new one joins by a line in this list.
    public static List<Blueprint> published() {
        return List.of(
                of("wan-i2v-14b", "Wan2.1 image to video 14B, transformer", WanNames.TRANSFORMER,
                        w -> WanTransformer.load(w, WanConfig.i2v14B())),
                of("wan-t2v-14b", "Wan2.1 text to video 14B, transformer", WanNames.TRANSFORMER,
                        w -> WanTransformer.load(w, WanConfig.t2v14B())),
                of("wan-t2v-1.3b", "Wan2.1 text to video 1.3B, transformer", WanNames.TRANSFORMER,
                        w -> WanTransformer.load(w, WanConfig.t2v1_3B())),
                of("wan-i2v-1.3b", "Wan2.1 Fun InP 1.3B, image to video, transformer", WanNames.TRANSFORMER,
                        w -> WanTransformer.load(w, WanConfig.i2v1_3B())),
                of("wan-vae", "Wan2.1 video autoencoder", WanNames.vae(WanVaeConfig.wan2_1().numResBlocks()),
                        w -> WanVae.load(w, WanVaeConfig.wan2_1(), LatentScale.wan2_1())),
                of("clip-vit-h-14", "CLIP ViT-H/14, image encoder", ClipNames.ALL, w -> ClipVision.load(w, ClipConfig.vitH14())),
                of("umt5-xxl", "umT5-XXL, encoder", Umt5Names.ALL, w -> Umt5Encoder.load(w, Umt5Config.xxl())),
                of("swin3d-t", "Video Swin-T for Kinetics-400", SwinNames.ALL, w -> VideoSwin.load(w, SwinConfig.t())),
                of("swin3d-s", "Video Swin-S for Kinetics-400", SwinNames.ALL, w -> VideoSwin.load(w, SwinConfig.s())),
                of("swin3d-b", "Video Swin-B for Kinetics-400", SwinNames.ALL, w -> VideoSwin.load(w, SwinConfig.b())));
    }

    /// A file of one network.
    private static Blueprint of(String name, String what, List<Names> known, Consumer<Weights> load) {
        return new Blueprint(name, what, List.of(new Part("", known, Inventory.of(load))), Set.of());
    }

    /// What a file of [ModelFiles] says in its metadata about itself; empty if it is none of those.
    ///
    /// @throws InvalidFileException if the metadata makes no network
    public static Optional<Blueprint> stated(TensorFile file) throws IOException {
        try {
            return switch (file.metadata().getOrDefault("kind", "")) {
                case "video-swin" -> {
                    var config = ModelFiles.entry(file, "config", SwinConfig.class);
                    yield Optional.of(of("video-swin", "the classifier that its metadata describes", SwinNames.ALL,
                            w -> VideoSwin.load(w, config)));
                }
                case "wan-vae" -> {
                    var config = WanVaeConfig.of(ModelFiles.entry(file, "config", JsonNode.class));
                    var scale = new LatentScale(ones(config.zDim()), ones(config.zDim()));
                    var part = new Part("", WanNames.vae(config.numResBlocks()), Inventory.of(w -> WanVae.load(w, config, scale)));
                    yield Optional.of(new Blueprint("wan-vae", "the autoencoder that its metadata describes", List.of(part),
                            Set.of("latents_mean", "latents_std")));
                }
                case "wan-i2v" -> {
                    var dit = WanConfig.of(ModelFiles.entry(file, "dit", JsonNode.class));
                    var clip = ModelFiles.entry(file, "clip", ClipConfig.class);
                    var parts = List.of(
                            new Part("dit.", WanNames.TRANSFORMER, Inventory.of(w -> WanTransformer.load(w, dit))),
                            new Part("clip.", ClipNames.ALL, Inventory.of(w -> ClipVision.load(w, clip))));
                    yield Optional.of(new Blueprint("wan-i2v", "the generator that its metadata describes", parts, Set.of("prompt")));
                }
                default -> Optional.empty();
            };
        } catch (IllegalArgumentException e) {
            throw new InvalidFileException(file.path(), String.valueOf(e.getMessage()), e);
        }
    }

    private static List<Float> ones(int n) {
        return Collections.nCopies(n, 1f);
    }

    /// The published model that a file is most like; empty if it shares no tensor of the same shape with any.
    public static Optional<Blueprint> guess(TensorFile file) {
        Blueprint best = null;
        double most = 0;
        for (var blueprint : published()) {
            double likeness = blueprint.likeness(file);
            if (likeness <= most) continue;
            most = likeness;
            best = blueprint;
        }
        return Optional.ofNullable(best);
    }

    /// How many tensors both have, in the same shape, among those that either has: a small network may lie in a larger one of its family.
    private double likeness(TensorFile file) {
        long both = 0;
        long either = 0;
        for (var part : parts) {
            var named = NamedFile.of(file, part.folder, part.known);
            long shared = part.found(named);
            both += shared;
            either += part.expected.size() + named.names().size() - named.spare().size() - shared;
        }
        return (double) both / Math.max(1, either);
    }

    /// Which part of its tensors a file has, in the right shape.
    public double share(TensorFile file) {
        long found = parts.stream().mapToLong(part -> part.found(NamedFile.of(file, part.folder, part.known))).sum();
        return (double) found / expected().size();
    }

    /// Names and shapes of all its tensors, in a file with our names.
    public Map<String, Shape> expected() {
        var all = new TreeMap<String, Shape>();
        for (var part : parts) part.expected.forEach((name, shape) -> all.put(part.folder + name, shape));
        return all;
    }
}
