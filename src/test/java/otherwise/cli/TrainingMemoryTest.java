package otherwise.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.dry.DryBackend;
import otherwise.data.Preset;
import otherwise.explain.ModelFiles;
import otherwise.explain.Models;
import otherwise.explain.TinyModels;
import otherwise.models.swin.SwinConfig;
import otherwise.models.swin.VideoSwin;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanVae;
import otherwise.nn.Weights;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;
import otherwise.train.AdamW;
import otherwise.train.ClassifierTraining;
import otherwise.train.GeneratorTraining;
import otherwise.train.Initializer;
import otherwise.train.LearningRate;
import otherwise.train.Muon;
import otherwise.train.Objective;
import otherwise.train.Optimizer;
import otherwise.train.Parameters;
import otherwise.train.Training;
import otherwise.train.TrainingListener;
import otherwise.train.VaeTraining;

/// Is what is said of memory before a training what it takes?
class TrainingMemoryTest {
    private static final double SHARE = 0.05;
    private static final long STEPS = 20;
    private static final Preset CLIPS = new Preset("small", 5, 32, 32, 8, 1000, 4, 1);

    private static final SwinConfig SWIN = new SwinConfig(List.of(2, 4, 4), 8, List.of(1, 1), List.of(1, 2), List.of(2, 4, 4), 2, 4, 1e-5);

    @TempDir
    private static Path folder;

    private static ModelFiles files;

    @BeforeAll
    static void write() throws IOException {
        try (var backend = Backends.open("cpu", 1)) {
            files = TinyModels.write(folder, backend);
        }
    }

    /// The first steps of a training: gradients are far longer than they may be, as they mostly are.
    private static Training training(Parameters parameters, Function<Map<String, Tensor>, Optimizer> optimizer, Path state)
            throws IOException {
        return new Training(parameters,
                new Training.Settings(new LearningRate(1e-4, 1e-5, 2, STEPS), optimizer, 1e-3, 0.9, 10, STEPS / 2, 60), state);
    }

    private static Parameters parameters(Backend backend) {
        return new Parameters(backend, (name, shape, random) -> Initializer.scaled(name, shape, random, 1), 1);
    }

    private static AdamW adamW(Map<String, Tensor> parameters) {
        return new AdamW(parameters, AdamW.Settings.DEFAULT);
    }

    private static Train.Course<ClassifierTraining> classifier(Backend backend, Path state) throws IOException {
        var parameters = parameters(backend);
        var swin = VideoSwin.load(Weights.of(parameters), SWIN);
        var training = training(parameters, TrainingMemoryTest::adamW, state);
        var judged = VideoSwin.load(Weights.of(training.shipped()), SWIN);
        return new Train.Course<>(parameters, training,
                new ClassifierTraining(backend, CLIPS, swin::forward, judged::forward, 2, 2, 24, STEPS, 1));
    }

    private static Train.Course<VaeTraining> vae(Backend backend, Path state) throws IOException {
        var raw = new LatentScale(Collections.nCopies(16, 0f), Collections.nCopies(16, 1f));
        var parameters = parameters(backend);
        var vae = WanVae.load(Weights.of(parameters), TinyModels.VAE, raw);
        var training = training(parameters, TrainingMemoryTest::adamW, state);
        var judged = WanVae.load(Weights.of(training.shipped()), TinyModels.VAE, raw);
        var clips = new Preset("longer", 9, 32, 32, 8, 1000, 4, 1); // which its lessons look at
        return new Train.Course<>(parameters, training,
                new VaeTraining(backend, clips, Train.codec(vae), Train.codec(judged), 1, STEPS, 1, true));
    }

    private static Train.Course<GeneratorTraining> generator(Backend backend, Path state) throws IOException {
        var codec = Train.codec(Models.vae(files, backend));
        var parameters = parameters(backend);
        var prompt = Random.philox(1, 77).normal(backend, 1, TinyModels.DIT.textLen(), TinyModels.DIT.textDim());
        var network = TrainGenerator.network(Weights.of(parameters), TinyModels.DIT, TinyModels.CLIP, prompt);
        var rest = AdamW.Settings.DEFAULT;
        var training = training(parameters, p -> new Muon(p, new Muon.Settings(0.95, 0.01, rest), name -> name.contains("blocks.")), state);
        var judged = TrainGenerator.network(Weights.of(training.shipped()), TinyModels.DIT, TinyModels.CLIP, prompt);
        var settings = new GeneratorTraining.Settings(8, 3, 64, 3, 8, 1);
        return new Train.Course<>(parameters, training, new GeneratorTraining(backend, CLIPS, codec, network, judged, settings));
    }

    /// Makes a course in the folder of its state.
    @FunctionalInterface
    interface Kind<O extends Objective> {
        Train.Course<O> on(Backend backend, Path state) throws IOException;
    }

    private static Stream<Arguments> trainings() {
        Kind<ClassifierTraining> classifier = TrainingMemoryTest::classifier;
        Kind<VaeTraining> vae = TrainingMemoryTest::vae;
        Kind<GeneratorTraining> generator = TrainingMemoryTest::generator;
        return Stream.of(Arguments.of("classifier", classifier), Arguments.of("vae", vae), Arguments.of("generator", generator));
    }

    /// What was planned for the steps from the state in `out` up to `until`, and what they took.
    private static <O extends Objective> MemoryPlan trained(Kind<O> kind, Path out, long until) throws IOException {
        var common = new Train.Common();
        common.out = out;
        common.models = folder;
        boolean begins = !Files.exists(out);
        try (var backend = Backends.open("cpu", 0)) {
            var plan = common.plan(backend, device -> kind.on(device, out), Objective::validate);
            assertEquals(new Backend.Memory(0, 0, 0, 0), backend.memory(), "the device has not noticed");
            assertEquals(begins, !Files.exists(out), "nothing is written");

            var course = kind.on(backend, out);
            assertEquals(until == STEPS, course.training().run(course.objective(), new TrainingListener() {
                @Override
                public void stepped(long step, long steps, double loss, double rate, double secondsPerStep) {
                    if (step == until) course.training().stop();
                }

                @Override
                public void validated(long step, Map<String, Double> figures) {}

                @Override
                public void saved(long step) {}
            }));
            if (until == STEPS) {
                assertTrue(plan.taken() <= plan.bytes() && plan.bytes() - plan.taken() <= SHARE * plan.bytes(),
                        plan.bytes() + " planned, " + plan.taken() + " taken");
            }
            return plan;
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("trainings")
    <O extends Objective> void itTakesWhatWasPlanned(String name, Kind<O> kind) throws IOException {
        trained(kind, folder.resolve(name), STEPS);
    }

    /// The last lesson of the autoencoder is not the one that takes most, but the state that is read takes room as well.
    @Test
    void whatIsLeftOfATrainingIsPlannedForAlone() throws IOException {
        var out = folder.resolve("stopped");
        var whole = trained(TrainingMemoryTest::vae, out, STEPS - 2);
        var rest = trained(TrainingMemoryTest::vae, out, STEPS);
        assertTrue(rest.bytes() < whole.bytes(), rest + " of " + whole);
    }

    @Test
    void aTrainingThatCannotFitIsRefused() throws IOException {
        var common = new Train.Common();
        common.out = folder.resolve("refused");
        common.models = folder;
        try (var small = new DryBackend(DType.F32, () -> "", 1 << 20)) {
            var refused = assertThrows(DeviceException.class,
                    () -> common.plan(small, device -> classifier(device, common.out), Objective::validate)).getMessage();
            assertTrue(refused.matches("this needs .* of memory, dry has 1.00 MiB; a smaller --batch takes less"), refused);
            assertFalse(Files.exists(common.out));
        }
    }
}
