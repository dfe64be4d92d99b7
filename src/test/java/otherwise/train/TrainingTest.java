package otherwise.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.backend.Backend;
import otherwise.backend.cpu.CpuBackend;
import otherwise.nn.Linear;
import otherwise.nn.Weights;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// A training that was stopped and resumed is the training that was not; and it learns.
class TrainingTest {
    private static final long STEPS = 40;

    @TempDir
    private Path folder;

    /// Learns y = x·wᵀ of a fixed random w from fresh data each step.
    private record Regression(Backend backend, Linear network) implements Objective {
        @Override
        public Tensor loss(long step) {
            var x = Random.philox(3, step).normal(backend, 16, 5);
            var y = x.linear(Random.philox(4, 0).normal(backend, 2, 5), null);
            return network.forward(x).sub(y).square().mean();
        }

        @Override
        public Map<String, Double> validate() {
            return Map.of("loss", loss(-1).item());
        }
    }

    /// Trains until `stopAfter` steps are done, and gives the weights that would ship.
    private static float[] train(Path folder, long stopAfter, boolean finishes) throws IOException {
        try (var backend = new CpuBackend(1)) {
            var parameters = new Parameters(backend, (name, shape, random) -> Initializer.scaled(name, shape, random, 1), 1);
            var objective = new Regression(backend, Linear.load(Weights.of(parameters), 5, 2));
            var settings = new Training.Settings(
                    new LearningRate(0.05, 0.001, 4, STEPS), p -> new AdamW(p, AdamW.Settings.DEFAULT), 1.0, 0.9, 10, 20, 1e9);
            var training = new Training(parameters, settings, folder);
            boolean finished = training.run(objective, new TrainingListener() {
                @Override
                public void stepped(long step, long steps, double loss, double rate, double secondsPerStep) {
                    if (step == stopAfter) training.stop();
                }

                @Override
                public void validated(long step, Map<String, Double> figures) {}

                @Override
                public void saved(long step) {}
            });
            assertEquals(finishes, finished);
            assertEquals(finishes ? STEPS : stopAfter, training.step());
            return training.shipped().get("weight").floats();
        }
    }

    @Test
    void aResumedTrainingGivesTheSameBits() throws IOException {
        var whole = train(folder.resolve("whole"), -1, true);
        train(folder.resolve("parts"), 7, false);
        train(folder.resolve("parts"), 23, false);
        assertArrayEquals(whole, train(folder.resolve("parts"), -1, true));
    }

    @Test
    void itLearnsAndLogs() throws IOException {
        train(folder, -1, true);
        var lines = Files.readAllLines(folder.resolve("log.csv"));
        assertTrue(lines.getFirst().startsWith("step,loss,"));
        double early = Double.parseDouble(lines.get(1).split(",")[1]);
        double late = Double.parseDouble(lines.getLast().split("loss=")[1]);
        assertTrue(late < early / 4, early + " -> " + late);
    }

    @Test
    void aStateOfAnotherNetworkIsRefused() throws IOException {
        train(folder, 3, false);
        try (var backend = new CpuBackend(1)) {
            var parameters = new Parameters(backend, (name, shape, random) -> Initializer.scaled(name, shape, random, 1), 1);
            Linear.load(Weights.of(parameters).at("other"), 5, 2);
            var settings = new Training.Settings(new LearningRate(0.05, 0.001, 4, STEPS), p -> new AdamW(p, AdamW.Settings.DEFAULT), 1.0,
                    0.9, 10, 20, 1e9);
            var message = assertThrows(IOException.class, () -> new Training(parameters, settings, folder)).getMessage();
            assertTrue(message.contains("other.weight"), message);
        }
    }

    @Test
    void frozenParametersStayAndDoNotTrain() {
        try (var backend = new CpuBackend(1)) {
            var parameters = new Parameters(
                    backend, (name, shape, random) -> Initializer.scaled(name, shape, random, 1), 1, name -> name.endsWith("weight"));
            var linear = Linear.load(Weights.of(parameters), 5, 2);
            assertFalse(linear.weight().requiresGrad());
            assertTrue(linear.bias().requiresGrad());
            assertEquals(1, parameters.variables().size());
            assertNotEquals(0, parameters.constants().size());
        }
    }

    @Test
    void theRateRisesAndFalls() {
        var rate = new LearningRate(1, 0.1, 10, 110);
        assertEquals(0.1, rate.at(0), 1e-12);
        assertEquals(1, rate.at(9), 1e-12);
        assertEquals(0.55, rate.at(60), 1e-12);
        assertEquals(0.1, rate.at(110), 1e-12);
    }
}
