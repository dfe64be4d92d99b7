package otherwise.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import java.util.function.Function;
import otherwise.backend.Backend;
import otherwise.data.Preset;
import otherwise.explain.Rehearsal;
import otherwise.explain.VideoFormat;
import otherwise.models.wan.WanVae;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;
import otherwise.train.AdamW;
import otherwise.train.LatentCodec;
import otherwise.train.LearningRate;
import otherwise.train.Objective;
import otherwise.train.Optimizer;
import otherwise.train.Parameters;
import otherwise.train.Training;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `otherwise train classifier|vae|generator`: trains the networks of a Shape-Moving explanation from nothing.
@Command(
        name = "train",
        description = "Train the networks of an explanation on Shape-Moving clips.",
        mixinStandardHelpOptions = true,
        subcommands = {TrainClassifier.class, TrainVae.class, TrainGenerator.class},
        synopsisSubcommandLabel = "classifier|vae|generator",
        footer = {
            "",
            "Example:",
            "  otherwise train vae --out runs/vae --models runs/models",
            "Ctrl-C saves; the same command goes on where it stopped."
        })
final class Train implements Callable<Integer> {

    @Override
    public Integer call() {
        throw new IllegalArgumentException("train what? classifier, vae or generator; see: otherwise train --help");
    }

    /// What all three have in common.
    static final class Common {
        @Option(
                names = "--out",
                required = true,
                paramLabel = "DIR",
                description = "Folder for the resumable state and the log; goes on where it left off.")
        Path out;

        @Option(names = "--models", required = true, paramLabel = "DIR", description = "Folder that receives the finished model file.")
        Path models;

        @Option(names = "--steps", paramLabel = "N", description = "Optimiser steps in all (default: as many as the shipped model had).")
        Long steps;

        @Option(names = "--batch", paramLabel = "N", description = "Clips a step (default: as the shipped model).")
        Integer batch;

        @Option(names = "--lr", paramLabel = "RATE", description = "Peak learning rate (default: as the shipped model).")
        Double rate;

        @Option(names = "--seed", defaultValue = "1", paramLabel = "N",
                description = "Seed of data, weights and noise (default: ${DEFAULT-VALUE}).")
        long seed;

        @Mixin
        DeviceOptions device;

        @Option(names = "--threads", defaultValue = "0", paramLabel = "N",
                description = "CPU threads; 0 means all (default: ${DEFAULT-VALUE}).")
        int threads;

        @Option(names = "--validate-every", paramLabel = "N", description = "Steps between two looks at held-out clips.")
        Long validateEvery;

        long steps(long shipped) {
            return steps == null ? shipped : steps;
        }

        int batch(int shipped) {
            return batch == null ? shipped : batch;
        }

        /// What the shipped models were trained with.
        static final AdamW.Settings ADAM = new AdamW.Settings(0.9, 0.99, 1e-8, 0.01);

        Training.Settings settings(long steps, double peak, double ema, long validate) {
            return settings(steps, peak, ema, validate, p -> new AdamW(p, ADAM));
        }

        Training.Settings settings(
                long steps, double peak, double ema, long validate, Function<Map<String, Tensor>, Optimizer> optimizer) {
            double lr = rate == null ? peak : rate;
            var schedule = new LearningRate(lr, lr * 0.01, Math.min(500, steps / 20), steps);
            long every = validateEvery == null ? validate : validateEvery;
            return new Training.Settings(schedule, optimizer, 1.0, ema, 50, every, 60);
        }

        /// Says what training will take of the device.
        ///
        /// @param making makes the course on any device
        /// @param end what is done with the finished network, with no more clips than it takes to see their size
        /// @throws otherwise.backend.DeviceException with the numbers, if the device has not so much
        <O extends Objective> MemoryPlan plan(Backend backend, Making<O> making, Consumer<O> end) throws IOException {
            OutputFolder.require(out);
            OutputFolder.require(models);
            var needed = Rehearsal.of(backend, dry -> {
                var course = making.on(dry);
                course.training.rehearse(course.objective);
                try (var _ = Tape.off()) {
                    end.accept(course.objective);
                }
            });
            return MemoryPlan.of(backend, needed, "a smaller --batch takes less").announced();
        }

        /// Trains, interruptibly, and says whether it came to its end.
        boolean run(Course<?> course) throws IOException {
            var training = course.training;
            // Now, not after hours of training.
            Files.createDirectories(models);
            System.out.printf(Locale.ROOT, "%,d parameters; state in %s%n", course.parameters.count(), out);
            var done = new CountDownLatch(1);
            var hook = new Thread(() -> {
                training.stop();
                try {
                    done.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            Runtime.getRuntime().addShutdownHook(hook);
            try (var progress = new TrainProgress(training.step())) {
                boolean finished = training.run(course.objective, progress);
                if (!finished) System.out.println("saved after step " + training.step() + "; the same command goes on from there");
                return finished;
            } finally {
                done.countDown();
            }
        }

        /// Lines of metadata that say where a model came from.
        Map<String, String> notes(Training training, Map<String, Double> figures) {
            var notes = new LinkedHashMap<String, String>();
            notes.put("data", "Shape-Moving mini, seed " + seed);
            notes.put("steps", Long.toString(training.step()));
            notes.put("training_seconds", String.format(Locale.ROOT, "%.0f", training.seconds()));
            figures.forEach((name, value) -> notes.put("held_out_" + name, String.format(Locale.ROOT, "%.4f", value)));
            return notes;
        }
    }

    /// A network under training, and what it is trained for.
    record Course<O extends Objective>(Parameters parameters, Training training, O objective) {}

    /// Makes the same course on any device: on the one that trains, and on one that computes nothing.
    @FunctionalInterface
    interface Making<O extends Objective> {
        Course<O> on(Backend backend) throws IOException;
    }

    static VideoFormat format(Preset p) {
        return new VideoFormat(p.frames(), p.height(), p.width(), p.fps());
    }

    /// The autoencoder as the training rooms see it.
    static LatentCodec codec(WanVae vae) {
        return new LatentCodec() {
            @Override
            public Tensor encode(Tensor video) {
                return vae.encode(video);
            }

            @Override
            public Tensor decode(Tensor latent) {
                return vae.decode(latent);
            }
        };
    }
}
