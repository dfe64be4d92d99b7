package otherwise.explain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.explain.BttfOptions.NoiseSource;
import otherwise.explain.BttfOptions.Offset;
import otherwise.explain.BttfOptions.Prior;
import otherwise.explain.BttfOptions.Reset;
import otherwise.explain.BttfOptions.Start;
import otherwise.explain.BttfSchedule.Mode;
import otherwise.support.Emulated;

class BttfTest {
    // One device for nearly all: giving its memory back takes longer than these runs.
    private static Backend backend;

    @BeforeAll
    static void open() {
        backend = Backends.open("cpu", 1);
    }

    @AfterAll
    static void close() {
        backend.close();
    }

    private static final BttfSchedule SHORT = new BttfSchedule(Mode.BUDGET, 0, 16, 4, 0.9, 2, 3);

    private static BttfOptions options(BttfSchedule schedule, boolean keepBest, Start start, Prior prior, Reset reset, Checkpointing c) {
        return new BttfOptions(
                schedule, keepBest, start, 3, 0.95, NoiseSource.PHILOX, 5, 0.1, 0, reset, 1, 1e2, prior, 0.01, 0, 1, Offset.ALTERNATE, c);
    }

    private static BttfOptions plain() {
        return options(SHORT, true, Start.BEST_OF, Prior.NONE, Reset.NEVER, Checkpointing.NONE);
    }

    private static Counterfactual run(Backend backend, BttfOptions options, Journal journal) throws IOException {
        try (var _ = backend.scope()) {
            return new Bttf(options).explain(Toys.WHY_LEFT, Toys.ToyGenerator.on(backend), Toys.CLASSIFIER, Method.Listener.NONE, journal);
        }
    }

    @Test
    void flipsAndSaysSoOfTheVideoItReturns() throws IOException {
        try (var _ = backend.scope()) {
            var result = run(backend, plain(), Journal.NONE);
            assertTrue(result.flipped());
            assertTrue(result.before()[0] > 0.9, "the original is of the source class");
            try (var _ = backend.scope()) {
                var again = Toys.CLASSIFIER.probabilities(Question.tensor(result.video(), backend), 0);
                assertArrayEquals(again, result.after(), "the verdict is about the 8-bit video");
            }
            var last = result.log().getLast();
            assertEquals(4, last.steps());
            assertTrue(last.crossEntropy() < result.log().getFirst().crossEntropy());
            assertTrue(result.log().stream().allMatch(i -> i.style() >= 0 && i.noise() > 0));
            assertTrue(result.log().stream().allMatch(i -> i.gradient() > 0 || i.targetProbability() >= 0.9),
                    "moves unless the target holds");
        }
    }

    /// Every kind of start, prior, reset and checkpointing, killed after the first iteration, halfway, and after the last.
    @Test
    void goesOnAfterAKillWithTheSameBytes(@TempDir Path folder) throws IOException {
        var cases = List.of(
                plain(),
                options(new BttfSchedule(Mode.EACH, 3, 2, 3, 0.9, 2, 1), false, Start.INVERSION, Prior.CHI, Reset.STAGE,
                        Checkpointing.NESTED),
                options(SHORT, true, Start.REVERSE_ODE, Prior.RENORM, Reset.STEPS, Checkpointing.STEPS),
                options(SHORT, true, Start.PROMISING, Prior.NONE, Reset.NEVER, Checkpointing.NONE),
                options(new BttfSchedule(Mode.STRAIGHT, 0, 6, 4, 0.9, 2, 3), true, Start.RANDOM, Prior.NONE, Reset.NEVER,
                        Checkpointing.NONE));
        for (var options : cases) {
            try (var _ = backend.scope()) {
                var whole = run(backend, options, Journal.NONE);
                for (int kill : new int[] {1, whole.log().size() / 2, whole.log().size()}) {
                    var file = Files.createTempDirectory(folder, "run").resolve("state.safetensors");
                    var dying = new DyingJournal(new JournalFile(file), kill);
                    assertThrows(Killed.class, () -> run(backend, options, dying));
                    var resumed = run(backend, options, new JournalFile(file));
                    assertArrayEquals(whole.video().rgb(), resumed.video().rgb());
                    assertArrayEquals(whole.pixels(), resumed.pixels());
                    assertArrayEquals(whole.noise(), resumed.noise());
                    assertEquals(whole.chosen(), resumed.chosen());
                    assertEquals(untimed(whole), untimed(resumed));
                }
            }
        }
    }

    @Test
    void checkpointingAndThreadsDoNotChangeTheResult() throws IOException {
        var base = options(SHORT, true, Start.RANDOM, Prior.NONE, Reset.NEVER, Checkpointing.NONE);
        float[] expected;
        try (var _ = backend.scope()) {
            expected = run(backend, base, Journal.NONE).pixels();
        }
        for (var c : List.of(Checkpointing.STEPS, Checkpointing.NESTED)) {
            try (var _ = backend.scope()) {
                assertArrayEquals(expected, run(backend, base.with(c), Journal.NONE).pixels(), 1e-4f, c.toString());
            }
        }
        try (var two = Backends.open("cpu", 2)) {
            assertArrayEquals(expected, run(two, base, Journal.NONE).pixels(), "two threads");
        }
    }

    /// The kernels of `kernels/`, emulated, go the same way; and what they take is given back.
    @Test
    void theEmulatedDeviceGoesTheSameWay() throws IOException {
        assumeTrue(Emulated.present(), "no g++");
        var options = options(SHORT, true, Start.RANDOM, Prior.NONE, Reset.NEVER, Checkpointing.NESTED);
        Counterfactual expected;
        try (var _ = backend.scope()) {
            expected = run(backend, options, Journal.NONE);
        }
        try (var device = Backends.open("cuda-emulated", 0)) {
            var actual = run(device, options, Journal.NONE);
            assertArrayEquals(expected.pixels(), actual.pixels(), 1e-3f);
            assertEquals(expected.log().size(), actual.log().size());
            assertEquals(expected.flipped(), actual.flipped());
            assertEquals(0, device.memory().used());
        }
    }

    @Test
    void memoryIsFlatFromTheSecondIterationOn() throws IOException {
        try (var _ = backend.scope()) {
            var use = new ArrayList<List<Long>>();
            var generator = Toys.ToyGenerator.on(backend);
            new Bttf(plain().with(new BttfSchedule(Mode.STRAIGHT, 0, 6, 4, 0.999999, 2, 6)))
                    .explain(Toys.WHY_LEFT, generator, Toys.CLASSIFIER, (iteration, atMost) -> {
                        var m = backend.memory();
                        use.add(List.of(m.used(), m.used() + m.pooled()));
                    }, Journal.NONE);
            assertEquals(6, use.size());
            for (var u : use.subList(2, use.size())) assertEquals(use.get(1), u);
        }
    }

    @Test
    void everythingIsFreedAfterwards() throws IOException {
        try (var backend = Backends.open("cpu", 1)) {
            run(backend, plain(), Journal.NONE);
            assertEquals(0, backend.memory().used());
        }
    }

    @Test
    void aStateOfOtherOptionsIsRefused(@TempDir Path folder) throws IOException {
        var file = folder.resolve("state.safetensors");
        try (var _ = backend.scope()) {
            var journal = new JournalFile(file);
            run(backend, plain(), journal);
            var e = assertThrows(IOException.class, () -> run(backend, plain().withSeed(6), journal));
            assertTrue(e.getMessage().contains("other options"), e.getMessage());
        }
    }

    @Test
    void whatDoesNotFitIsRefusedBeforeAnythingIsComputed() {
        try (var _ = backend.scope()) {
            var shorter = new otherwise.io.Video(4, 16, 16, 8, new byte[4 * 16 * 16 * 3]);
            var bttf = new Bttf(plain());
            var e = assertThrows(IllegalArgumentException.class, () -> {
                try (var _ = backend.scope()) {
                    bttf.explain(new Question(shorter, 0, 1), Toys.ToyGenerator.on(backend), Toys.CLASSIFIER, Method.Listener.NONE,
                            Journal.NONE);
                }
            });
            assertTrue(e.getMessage().contains("4 frames") && e.getMessage().contains("5 frames"), e.getMessage());
            assertFalse(e.getMessage().contains("\n"));
        }
    }

    private static List<String> untimed(Counterfactual c) {
        return c.log().stream().map(i -> i.csv().replaceAll(",[^,]*$", "")).toList();
    }

    /// Stands for `kill -9` right after the k-th save.
    private static final class DyingJournal implements Journal {
        private final Journal journal;
        private int left;

        DyingJournal(Journal journal, int left) {
            this.journal = journal;
            this.left = left;
        }

        @Override
        public Optional<Snapshot> last() throws IOException {
            return journal.last();
        }

        @Override
        public void save(Snapshot snapshot) throws IOException {
            journal.save(snapshot);
            if (--left == 0) throw new Killed();
        }
    }

    private static final class Killed extends RuntimeException {}
}
