package otherwise.cli;

import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import otherwise.data.Preset;
import otherwise.data.ShapeMoving;
import otherwise.explain.ModelFiles;
import otherwise.explain.SwinClassifier;
import otherwise.models.swin.SwinConfig;
import otherwise.models.swin.VideoSwin;
import otherwise.nn.Weights;
import otherwise.tensor.Tape;
import otherwise.train.ClassifierTraining;
import otherwise.train.Parameters;
import otherwise.train.SwinInitializer;
import otherwise.train.Training;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/// `otherwise train classifier`
@Command(name = "classifier", description = "Train the Video Swin classifier.", mixinStandardHelpOptions = true)
final class TrainClassifier implements Callable<Integer> {
    private static final int FRAMES = 8;
    private static final int STRIDE = 2;
    private static final int JUDGED = 1000;

    @Mixin
    private Train.Common common;

    @Override
    public Integer call() throws IOException {
        var preset = Preset.mini();
        var config = new SwinConfig(
                List.of(2, 4, 4), 32, List.of(2, 2, 2), List.of(2, 4, 8), List.of(4, 4, 4), 4, ShapeMoving.CLASSES.size(), 1e-5);
        long steps = common.steps(3000);
        int batch = common.batch(32);
        Train.Making<ClassifierTraining> making = backend -> {
            var parameters = new Parameters(backend, new SwinInitializer(), common.seed);
            var swin = VideoSwin.load(Weights.of(parameters), config);
            var training = new Training(parameters, common.settings(steps, 1e-3, 0.999, 250), common.out);
            var judged = VideoSwin.load(Weights.of(training.shipped()), config);
            var objective = new ClassifierTraining(
                    backend,
                    preset,
                    x -> swin.forward(SwinClassifier.normalised(x)),
                    x -> judged.forward(SwinClassifier.normalised(x)),
                    FRAMES,
                    STRIDE,
                    batch,
                    steps,
                    common.seed);
            return new Train.Course<>(parameters, training, objective);
        };
        try (var backend = common.device.open(common.threads)) {
            var memory = common.plan(backend, making, objective -> objective.accuracy(JUDGED));
            var course = making.on(backend);
            var training = course.training();
            if (!common.run(course)) return ExitCode.NO;
            double accuracy;
            try (var _ = Tape.off()) {
                accuracy = course.objective().accuracy(JUDGED);
            }
            System.out.printf(Locale.ROOT, "accuracy on %,d held-out clips: %.4f%n", JUDGED, accuracy);
            var notes = common.notes(training, Map.of("accuracy", accuracy));
            var files = new ModelFiles(common.models);
            files.writeClassifier(config, ShapeMoving.CLASSES, FRAMES, STRIDE, Train.format(preset), training.shipped(), notes);
            System.out.println(memory.line());
            return ExitCode.DONE;
        }
    }
}
