package otherwise.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import otherwise.data.Preset;
import otherwise.explain.ModelFiles;
import otherwise.io.InvalidFileException;
import otherwise.io.Safetensors;
import otherwise.io.TensorFile;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanVae;
import otherwise.models.wan.WanVaeConfig;
import otherwise.nn.Weights;
import otherwise.tensor.Tape;
import otherwise.train.Initializer;
import otherwise.train.Parameters;
import otherwise.train.Training;
import otherwise.train.VaeInitializer;
import otherwise.train.VaeTraining;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `otherwise train vae`
@Command(name = "vae", description = "Train the causal video autoencoder.", mixinStandardHelpOptions = true)
final class TrainVae implements Callable<Integer> {
    private static final int JUDGED = 200;

    @Option(names = "--dim", defaultValue = "8", paramLabel = "N", description = "Channels of the first level (default: ${DEFAULT-VALUE}).")
    private int dim;

    @Option(
            names = "--decoder-of",
            paramLabel = "FILE",
            description = "Go on with this model's decoder alone: its encoder, and so the meaning of its latents, stays as it is.")
    private Path decoderOf;

    @Option(
            names = "--from",
            paramLabel = "FILE",
            description = "Start from this model, or from the average in a training's state.safetensors, instead of from nothing.")
    private Path from;

    @Mixin
    private Train.Common common;

    @Override
    public Integer call() throws IOException {
        if (decoderOf == null) {
            var config = new WanVaeConfig(dim, 16, List.of(1, 2, 4, 4), 1, List.of(), List.of(false, true, true));
            if (from == null) return train(config, new VaeInitializer(), true, name -> false, null);
            try (var file = Safetensors.open(from)) {
                return train(config, Initializer.from(file), false, name -> false, null);
            }
        }
        try (var file = Safetensors.open(decoderOf)) {
            var json = file.metadata().get("config");
            if (json == null || !file.contains("latents_mean")) throw new InvalidFileException(decoderOf, "not a model file of a wan-vae");
            var config = WanVaeConfig.of(new ObjectMapper().readTree(json));
            return train(config, Initializer.from(file), false, name -> name.startsWith("encoder.") || name.startsWith("conv1."), file);
        }
    }

    private int train(WanVaeConfig config, Initializer initializer, boolean fresh, Predicate<String> frozen, TensorFile encoder)
            throws IOException {
        var preset = Preset.mini();
        // The statistics by which latents are normalised are measured when the network is done.
        var raw = new LatentScale(Collections.nCopies(config.zDim(), 0f), Collections.nCopies(config.zDim(), 1f));
        long steps = common.steps(8000);
        Train.Making<VaeTraining> making = backend -> {
            var parameters = new Parameters(backend, initializer, common.seed, frozen);
            var vae = WanVae.load(Weights.of(parameters), config, raw);
            var training = new Training(parameters, common.settings(steps, fresh ? 3e-3 : 2e-3, 0.999, 500), common.out);
            var judged = WanVae.load(Weights.of(training.shipped()), config, raw);
            var objective = new VaeTraining(
                    backend, preset, Train.codec(vae), Train.codec(judged), common.batch(1), steps, common.seed, fresh);
            return new Train.Course<>(parameters, training, objective);
        };
        try (var backend = common.device.open(common.threads)) {
            var memory = common.plan(backend, making, objective -> {
                objective.judge(1);
                if (encoder == null) objective.statistics(1);
            });
            var course = making.on(backend);
            var training = course.training();
            var objective = course.objective();
            if (!common.run(course)) return ExitCode.NO;
            Map<String, Double> figures;
            float[] mean;
            float[] deviation;
            try (var _ = Tape.off()) {
                figures = objective.judge(JUDGED);
                var statistics = encoder == null ? objective.statistics(JUDGED) : null;
                mean = encoder == null ? floats(statistics[0]) : encoder.floats("latents_mean");
                deviation = encoder == null ? floats(statistics[1]) : encoder.floats("latents_std");
            }
            System.out.printf(
                    Locale.ROOT, "%d held-out clips: PSNR %.2f dB, SSIM %.4f, of the first frame %.4f%n", JUDGED, figures.get("psnr"),
                    figures.get("ssim"), figures.get("ssim_first"));
            var notes = common.notes(training, figures);
            if (encoder != null)
                notes.put("encoder_training",
                        encoder.metadata().get("steps") + " steps, " + encoder.metadata().get("training_seconds") + " s");
            new ModelFiles(common.models).writeVae(config, mean, deviation, training.shipped(), notes);
            System.out.println(memory.line());
            return ExitCode.DONE;
        }
    }

    private static float[] floats(double[] x) {
        var y = new float[x.length];
        for (int i = 0; i < x.length; i++) y[i] = (float) x[i];
        return y;
    }
}
