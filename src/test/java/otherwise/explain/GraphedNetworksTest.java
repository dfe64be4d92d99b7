package otherwise.explain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.explain.BttfSchedule.Mode;
import otherwise.io.Video;
import otherwise.support.Emulated;

/// An explanation whose networks the device does as wholes is the same explanation, and takes the memory that was planned.
class GraphedNetworksTest {
    private static final double SHARE = 0.05;

    @TempDir
    private static Path folder;

    /// n = 2 throughout; the target never holds, so every iteration goes forward and back.
    private static BttfOptions options(Checkpointing checkpointing) {
        return BttfOptions.standard().with(new BttfSchedule(Mode.STRAIGHT, 0, 2, 2, 0.999999, 2, 1)).with(checkpointing);
    }

    private static Counterfactual run(Backend backend, Networks networks, BttfOptions options, List<Long> used) throws IOException {
        var f = networks.generator().video();
        var rgb = new byte[f.frames() * f.height() * f.width() * 3];
        for (int i = 0; i < rgb.length; i++) rgb[i] = (byte) (i * 7);
        var question = new Question(new Video(f.frames(), f.height(), f.width(), f.fps(), rgb), 0, 1);
        return new Bttf(options).explain(question, networks.generator(), networks.classifier(),
                (iteration, atMost) -> used.add(backend.memory().used()), Journal.NONE);
    }

    @ParameterizedTest
    @EnumSource(names = {"NONE", "NESTED"})
    void givesTheSameBytesAndTakesWhatWasPlanned(Checkpointing checkpointing) throws IOException {
        assumeTrue(Emulated.present(), "no g++");
        var options = options(checkpointing);
        ModelFiles files;
        try (var cpu = Backends.open("cpu", 1)) {
            files = TinyModels.write(folder, cpu, new VideoFormat(1, 16, 16, 8)); // emulated kernels take their time
        }
        try (var backend = Backends.open("cuda-emulated", 0)) {
            var planned = Rehearsal.of(backend, dry -> {
                var networks = Networks.open(files, dry).graphed();
                new Bttf(options).rehearse(networks.generator(), networks.classifier());
            });
            var networks = Networks.open(files, backend);
            long weights = backend.memory().used();
            var used = new ArrayList<Long>();
            Counterfactual graphed;
            try (var _ = backend.scope()) {
                graphed = run(backend, networks.graphed(), options, used);
            }
            assertEquals(Set.of(used.getFirst()), new HashSet<>(used), "in use after each iteration");
            assertEquals(weights, backend.memory().used(), "in use after the run");
            assertWithin(planned.footprint(), backend.memory().footprint(), "footprint");
            assertWithin(planned.peak(), backend.memory().peak(), "peak");

            var plain = run(backend, networks, options, new ArrayList<>());
            assertArrayEquals(plain.noise(), graphed.noise());
            assertArrayEquals(plain.pixels(), graphed.pixels());
            assertEquals(2, graphed.log().size());
            assertTrue(graphed.log().stream().allMatch(i -> i.gradient() > 0), "every iteration has a way back");
        }
    }

    private static void assertWithin(long planned, long taken, String what) {
        assertTrue(taken <= planned && planned - taken <= SHARE * planned, what + ": " + planned + " planned, " + taken + " taken");
    }
}
