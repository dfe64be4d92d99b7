package otherwise.cli;

import java.io.IOException;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import otherwise.backend.Backends;
import otherwise.data.Preset;
import otherwise.explain.ModelFiles;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanVae;
import otherwise.models.wan.WanVaeConfig;
import otherwise.nn.Weights;
import otherwise.tensor.Tape;
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

    @Mixin
    private Train.Common common;

    @Override
    public Integer call() throws IOException {
        var preset = Preset.mini();
        var config = new WanVaeConfig(dim, 16, List.of(1, 2, 4, 4), 1, List.of(), List.of(false, true, true));
        // The statistics by which latents are normalised are measured when the network is done.
        var raw = new LatentScale(Collections.nCopies(config.zDim(), 0f), Collections.nCopies(config.zDim(), 1f));
        long steps = common.steps(8000);
        try (var backend = Backends.open(common.device, common.threads)) {
            var parameters = new Parameters(backend, new VaeInitializer(), common.seed);
            var vae = WanVae.load(Weights.of(parameters), config, raw);
            var training = new Training(parameters, common.settings(steps, 3e-3, 0.999, 500), common.out);
            var judged = WanVae.load(Weights.of(training.shipped()), config, raw);
            var objective = new VaeTraining(backend, preset, Train.codec(vae), Train.codec(judged), common.batch(4), steps, common.seed);
            if (!common.run(training, objective, parameters)) return Otherwise.NO;
            double psnr;
            double[][] statistics;
            try (var _ = Tape.off()) {
                psnr = objective.psnr(JUDGED);
                statistics = objective.statistics(JUDGED);
            }
            System.out.printf(Locale.ROOT, "PSNR on %d held-out clips: %.2f dB%n", JUDGED, psnr);
            var notes = common.notes(training, steps, Map.of("psnr", psnr));
            var files = new ModelFiles(common.models);
            files.writeVae(config, floats(statistics[0]), floats(statistics[1]), training.shipped(), notes);
            return Otherwise.DONE;
        }
    }

    private static float[] floats(double[] x) {
        var y = new float[x.length];
        for (int i = 0; i < x.length; i++) y[i] = (float) x[i];
        return y;
    }
}
