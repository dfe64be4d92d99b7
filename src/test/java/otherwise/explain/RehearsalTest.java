package otherwise.explain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.function.LongFunction;
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
import otherwise.backend.dry.DryBackend;
import otherwise.explain.BttfOptions.Start;
import otherwise.explain.BttfSchedule.Mode;
import otherwise.io.Video;
import otherwise.nn.Trace;
import otherwise.support.Emulated;
import otherwise.tensor.Tape;

/// Is what a rehearsal says of memory what a run takes?
class RehearsalTest {
    /// A run takes what was planned, and hardly less.
    private static final double SHARE = 0.05;

    @TempDir
    private static Path folder;

    private static ModelFiles files;
    private static ModelFiles still;

    /// Emulated kernels take their time: they see a single small frame.
    @BeforeAll
    static void write() throws IOException {
        try (var backend = Backends.open("cpu", 1)) {
            files = TinyModels.write(Files.createDirectory(folder.resolve("video")), backend);
            still = TinyModels.write(Files.createDirectory(folder.resolve("still")), backend, new VideoFormat(1, 16, 16, 8));
        }
    }

    private static Video grey(VideoFormat f) {
        var rgb = new byte[f.frames() * f.height() * f.width() * 3];
        Arrays.fill(rgb, (byte) 100);
        return new Video(f.frames(), f.height(), f.width(), f.fps(), rgb);
    }

    /// n grows to 3, and the target never holds.
    private static BttfOptions growing() {
        return BttfOptions.standard().with(new BttfSchedule(Mode.BUDGET, 0, 4, 3, 0.999999, 2, 2));
    }

    private static Stream<Arguments> runs() {
        var cpu = Stream.of(
                growing(),
                growing().with(Checkpointing.STEPS),
                growing().with(Checkpointing.NESTED),
                growing().with(Start.BEST_OF, 0),
                growing().with(Start.REVERSE_ODE, 0),
                growing().with(Start.INVERSION, 3),
                BttfOptions.paper().with(new BttfSchedule(Mode.EACH, 0, 1, 3, 0.9, 2, 1)));
        // An iteration of each stage.
        var fewest = growing().with(new BttfSchedule(Mode.STRAIGHT, 1, 1, 2, 0.9, 2, 1));
        var emulated = Stream.of(
                Arguments.of("cuda-emulated", still, fewest),
                Arguments.of("cuda-emulated", still, fewest.with(Checkpointing.STEPS)),
                Arguments.of("cuda-emulated:bf16", still, fewest.with(Checkpointing.NESTED)));
        return Stream.concat(cpu.map(o -> Arguments.of("cpu", files, o)), emulated);
    }

    @ParameterizedTest
    @MethodSource("runs")
    void aRunTakesWhatWasPlannedAndAnIterationLeavesNothingBehind(String device, ModelFiles files, BttfOptions options) throws IOException {
        assumeTrue(device.equals("cpu") || Emulated.present(), "no g++");
        try (var backend = Backends.open(device, 0)) {
            var planned = planned(backend, files, options);
            assertEquals(new Backend.Memory(0, 0, 0, 0), backend.memory(), "the device has not noticed");

            var networks = Networks.open(files, backend);
            long weights = backend.memory().used();
            var used = new ArrayList<Long>();
            new Bttf(options).explain(new Question(grey(networks.generator().video()), 0, 1), networks.generator(), networks.classifier(),
                    (iteration, atMost) -> used.add(backend.memory().used()), Journal.NONE);
            var taken = backend.memory();

            assertEquals(options.schedule().atMost(), used.size());
            assertEquals(Set.of(used.getFirst()), new HashSet<>(used), "in use after each iteration");
            assertEquals(weights, taken.used(), "in use after the run");
            assertWithin(planned.footprint(), taken.footprint(), "footprint");
            assertWithin(planned.peak(), taken.peak(), "peak");
        }
    }

    private static void assertWithin(long planned, long taken, String what) {
        assertTrue(taken <= planned && planned - taken <= SHARE * planned, what + ": " + planned + " planned, " + taken + " taken");
    }

    /// Between what is in use at one time and what a pool would like to keep, the pool gives back; below, nothing helps.
    @Test
    void aSmallDeviceKeepsLessForReuse() throws IOException {
        var devices = new ArrayList<LongFunction<Backend>>();
        devices.add(room -> new DryBackend(DType.F32, () -> "", room));
        Emulated.device(DType.F32).ifPresent(cuda -> devices.add(cuda::dry));
        for (var device : devices) {
            var ample = planned(device.apply(Long.MAX_VALUE));
            long between = (ample.peak() + ample.footprint()) / 2;
            var tight = planned(device.apply(between));
            assertEquals(ample.peak(), tight.peak());
            assertTrue(tight.footprint() >= tight.peak() && tight.footprint() <= between, tight + " in " + between);
            assertEquals(ample.peak(), planned(device.apply(ample.peak() - 1)).footprint());
        }
    }

    private static Backend.Memory planned(Backend device) throws IOException {
        return planned(device, files, growing());
    }

    private static Backend.Memory planned(Backend device, ModelFiles files, BttfOptions options) throws IOException {
        return Rehearsal.of(device, dry -> {
            var networks = Networks.open(files, dry);
            new Bttf(options).rehearse(networks.generator(), networks.classifier());
        });
    }

    @Test
    void nobodyNoticesARehearsal() throws IOException {
        try (var backend = Backends.open("cpu", 1);
                var off = Tape.off();
                var _ = Trace.listen((name, _) -> {
                    throw new AssertionError(name);
                })) {
            Rehearsal.of(backend, dry -> {
                assertTrue(Tape.recording());
                var networks = Networks.open(files, dry);
                new Bttf(growing()).rehearse(networks.generator(), networks.classifier());
            });
            assertFalse(Tape.recording());
            assertFalse(off.touched());
            assertEquals(new Backend.Memory(0, 0, 0, 0), backend.memory());
        }
    }
}
