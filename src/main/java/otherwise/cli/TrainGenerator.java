package otherwise.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Function;
import otherwise.backend.Backend;
import otherwise.data.Preset;
import otherwise.explain.ModelFiles;
import otherwise.explain.Models;
import otherwise.io.Safetensors;
import otherwise.io.Sha256;
import otherwise.models.clip.ClipConfig;
import otherwise.models.clip.ClipVision;
import otherwise.models.wan.I2vConditioning;
import otherwise.models.wan.WanConfig;
import otherwise.models.wan.WanTransformer;
import otherwise.nn.Weights;
import otherwise.tensor.Random;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;
import otherwise.train.AdamW;
import otherwise.train.GeneratorTraining;
import otherwise.train.Initializer;
import otherwise.train.Muon;
import otherwise.train.Optimizer;
import otherwise.train.Parameters;
import otherwise.train.Training;
import otherwise.train.WanInitializer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `otherwise train generator`
@Command(name = "generator", description = "Train the image-to-video transformer and its image encoder.", mixinStandardHelpOptions = true)
final class TrainGenerator implements Callable<Integer> {
    private static final int TEXT = 4;

    @Option(names = "--shift", defaultValue = "3", paramLabel = "S",
            description = "Shift of the noise schedule (default: ${DEFAULT-VALUE}).")
    private double shift;

    @Option(names = "--pool", defaultValue = "32000", paramLabel = "N",
            description = "Clips to learn from at the end (default: ${DEFAULT-VALUE}).")
    private int pool;

    @Option(names = "--growth", defaultValue = "3", paramLabel = "N",
            description = "Clips that join them a step (default: ${DEFAULT-VALUE}).")
    private double growth;

    @Option(
            names = "--easy",
            defaultValue = "3000",
            paramLabel = "N",
            description = "How many of the first clips are simpler than the data set, less and less (default: ${DEFAULT-VALUE}).")
    private long easy;

    @Option(
            names = "--from",
            paramLabel = "FILE",
            description = "Start from this generator, or from the average in a training's state.safetensors, instead of from nothing.")
    private Path from;

    @Option(names = "--optimizer", defaultValue = "muon", paramLabel = "NAME",
            description = "muon (orthogonal steps for the matrices inside the blocks, AdamW for the rest) or adamw (default: ${DEFAULT-VALUE}).")
    private String optimizer;

    @Mixin
    private Train.Common common;

    @Override
    public Integer call() throws IOException {
        if (from == null) return train(new WanInitializer());
        try (var file = Safetensors.open(from)) {
            return train(Initializer.from(file));
        }
    }

    private int train(Initializer initializer) throws IOException {
        var preset = Preset.mini();
        var files = new ModelFiles(common.models);
        var dit = new WanConfig("i2v", List.of(1, 2, 2), TEXT, 36, 128, 512, 64, 32, 16, 4, 6, true, true, 1e-6, 64);
        var clip = new ClipConfig(64, 16, 64, 4, 4, 3, true, ClipConfig.Activation.GELU, 1e-5);
        long steps = common.steps(60_000);
        Train.Making<GeneratorTraining> making = backend -> {
            var codec = Train.codec(Models.vae(files, backend));
            var parameters = new Parameters(backend, initializer, common.seed);
            var prompt = prompt(backend, dit);
            var network = network(Weights.of(parameters), dit, clip, prompt);
            var training = new Training(parameters, common.settings(steps, 1e-3, 0.9995, 1000, optimizer()), common.out);
            var judged = network(Weights.of(training.shipped()), dit, clip, prompt);
            var settings = new GeneratorTraining.Settings(common.batch(64), shift, pool, growth, easy, common.seed);
            var objective = new GeneratorTraining(backend, preset, codec, network, judged, settings);
            return new Train.Course<>(parameters, training, objective);
        };
        try (var backend = common.device.open(common.threads)) {
            var memory = common.plan(backend, making, GeneratorTraining::validate);
            var course = making.on(backend);
            var training = course.training();
            if (!common.run(course)) return ExitCode.NO;
            Map<String, String> notes;
            try (var _ = Tape.off()) {
                notes = common.notes(training, course.objective().validate());
            }
            notes.put("vae_sha256", Sha256.of(files.vae()));
            var shipped = training.shipped();
            files.writeGenerator(
                    dit, clip, prompt(backend, dit).reshape(TEXT, dit.textDim()), shift, Train.format(preset), part(shipped, "dit."),
                    part(shipped, "clip."), notes);
            System.out.println(memory.line());
            return ExitCode.DONE;
        }
    }

    /// Class-agnostic and fixed, as the paper's one prompt is: rows that say nothing about the motion.
    private Tensor prompt(Backend backend, WanConfig dit) {
        return Random.philox(common.seed, 77).normal(backend, 1, TEXT, dit.textDim());
    }

    private Function<Map<String, Tensor>, Optimizer> optimizer() {
        return switch (optimizer) {
            case "adamw" -> parameters -> new AdamW(parameters, Train.Common.ADAM);
            case "muon" -> parameters -> new Muon(
                    parameters,
                    new Muon.Settings(0.95, Train.Common.ADAM.decay(), Train.Common.ADAM),
                    name -> name.contains("blocks.") || name.contains("transformer."));
            default -> throw new IllegalArgumentException("no optimizer '" + optimizer + "': muon, adamw");
        };
    }

    /// The transformer and its image encoder, trained as one network.
    static GeneratorTraining.Network network(Weights w, WanConfig dit, ClipConfig clip, Tensor prompt) {
        var transformer = WanTransformer.load(w.at("dit"), dit);
        var vision = ClipVision.load(w.at("clip"), clip);
        return (x, t, told, frames) -> {
            var features = vision.features(ClipVision.preprocess(frames, clip.imageSize()));
            var size = new I2vConditioning.Size(x.dim(3), x.dim(4));
            var mask = I2vConditioning.mask(x.backend(), x.dim(2), size).expand(x.dim(0), 4, x.dim(2), x.dim(3), x.dim(4));
            return transformer.forward(x, t, prompt, features, Tensor.concat(1, mask, told));
        };
    }

    /// The tensors below a prefix, which is cut off.
    private static Map<String, Tensor> part(Map<String, Tensor> tensors, String prefix) {
        var part = new LinkedHashMap<String, Tensor>();
        tensors.forEach((name, x) -> {
            if (name.startsWith(prefix)) part.put(name.substring(prefix.length()), x);
        });
        return part;
    }
}
