package otherwise.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import otherwise.data.FrameProbe;
import otherwise.data.Preset;
import otherwise.data.ShapeMoving;
import otherwise.data.ShapeMovingExport;
import otherwise.io.VideoFile;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `otherwise data shape-moving|probe`: the synthetic data set, as files, and what a single frame of it gives away.
@Command(
        name = "data",
        description = "Write a data set as video files, or measure what single frames of it reveal.",
        mixinStandardHelpOptions = true,
        subcommands = {Data.Export.class, Data.Probe.class},
        synopsisSubcommandLabel = "shape-moving|probe",
        footer = {"", "Example:", "  otherwise data shape-moving --preset mini --count 100 --out clips"})
final class Data implements Callable<Integer> {

    @Override
    public Integer call() {
        throw new IllegalArgumentException("which data? shape-moving or probe; see: otherwise data --help");
    }

    /// Writes clips and their table.
    @Command(
            name = "shape-moving",
            description = "Write the Shape-Moving clips: one object, four directions, drawn from seed and index alone.",
            mixinStandardHelpOptions = true,
            footer = {"", "Example:", "  otherwise data shape-moving --preset paper --count 64000 --out shape-moving"})
    static final class Export implements Callable<Integer> {
        @Option(names = "--preset", defaultValue = "mini", paramLabel = "NAME",
                description = "mini (17 frames of 64x64) or paper (65 of 224x224); default: ${DEFAULT-VALUE}.")
        private String preset;

        @Option(names = "--seed", defaultValue = "1", paramLabel = "N", description = "Seed of the set (default: ${DEFAULT-VALUE}).")
        private long seed;

        @Option(names = "--count", paramLabel = "N", description = "How many clips, from index 0 on (default: all of the preset).")
        private Long count;

        @Option(names = "--out", required = true, paramLabel = "DIR",
                description = "Folder for the videos and labels.csv; goes on where it stopped.")
        private Path out;

        @Override
        public Integer call() throws IOException {
            var chosen = Preset.named(preset);
            long clips = count == null ? chosen.clips() : count;
            var export = new ShapeMovingExport(new ShapeMoving(chosen), seed, clips);
            long written;
            try (var bar = Bar.of("clips", clips)) {
                written = export.write(out, VideoFile::write, (done, total) -> bar.stepTo(done));
            }
            System.out.printf(Locale.ROOT, "%,d clips in %s, %,d of them new%n", clips, out, written);
            return ExitCode.DONE;
        }
    }

    /// Prints the probe's curve over frames.
    @Command(
            name = "probe",
            description = "Train simple classifiers on single frames: how much does one frame reveal of the class?",
            mixinStandardHelpOptions = true)
    static final class Probe implements Callable<Integer> {
        private static final double CHANCE_AND_A_LITTLE = 0.30;

        @Option(names = "--preset", defaultValue = "mini", paramLabel = "NAME", description = "mini or paper (default: ${DEFAULT-VALUE}).")
        private String preset;

        @Option(names = "--seed", defaultValue = "1", paramLabel = "N", description = "Seed of the set (default: ${DEFAULT-VALUE}).")
        private long seed;

        @Option(names = "--train", defaultValue = "4000", paramLabel = "N", description = "Clips to train on (default: ${DEFAULT-VALUE}).")
        private int train;

        @Option(names = "--test", defaultValue = "2000", paramLabel = "N",
                description = "Held-out clips to count on (default: ${DEFAULT-VALUE}).")
        private int test;

        @Override
        public Integer call() {
            var curve = FrameProbe.curve(new ShapeMoving(Preset.named(preset)), seed, train, test);
            System.out.println("frame  position  pixels   (accuracy; chance is 0.25)");
            for (var at : curve) System.out.printf(Locale.ROOT, "%5d  %8.3f  %6.3f%n", at.frame(), at.position(), at.pixels());
            var first = curve.getFirst();
            return Math.max(first.position(), first.pixels()) <= CHANCE_AND_A_LITTLE ? ExitCode.DONE : ExitCode.NO;
        }
    }
}
