package otherwise.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import otherwise.data.Preset;
import otherwise.data.ShapeMoving;
import otherwise.data.ShapeMoving.Split;
import otherwise.data.Track;
import otherwise.data.Tracker;
import otherwise.diffusion.Sampler;
import otherwise.explain.ModelFiles;
import otherwise.explain.Models;
import otherwise.metrics.Frames;
import otherwise.metrics.Ssim;
import otherwise.report.ContactSheet;
import otherwise.tensor.Tape;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `otherwise evaluate-generator`: does noise decide where the object goes, and does it stay the same object?
@Command(
        name = "evaluate-generator",
        description = "Judge the image-to-video generator on held-out first frames with a tracker that knows nothing of it.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example:", "  otherwise evaluate-generator --models runs/models --noises 64 --clips 64 --sheet generated.png"})
final class EvaluateGenerator implements Callable<Integer> {
    private static final double EACH_DIRECTION = 0.10;
    private static final double KEPT = 0.90;
    private static final double FIRST_FRAME = 0.95;

    @Option(names = "--models", required = true, paramLabel = "DIR", description = "Folder with vae.safetensors and generator.safetensors.")
    private Path models;

    @Option(names = "--noises", defaultValue = "64", paramLabel = "N",
            description = "Noises for the one first frame (default: ${DEFAULT-VALUE}).")
    private int noises;

    @Option(names = "--clips", defaultValue = "64", paramLabel = "N",
            description = "Held-out first frames with one noise each (default: ${DEFAULT-VALUE}).")
    private int clips;

    @Option(names = "--steps", defaultValue = "15", paramLabel = "N", description = "Euler steps (default: ${DEFAULT-VALUE}).")
    private int steps;

    @Option(names = "--seed", defaultValue = "1", paramLabel = "N", description = "Seed of data and noise (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--sheet", paramLabel = "FILE", description = "Also draw the first generated clips into this PNG.")
    private Path sheet;

    @Mixin
    private DeviceOptions device;

    @Option(names = "--threads", defaultValue = "0", paramLabel = "N",
            description = "CPU threads; 0 means all (default: ${DEFAULT-VALUE}).")
    private int threads;

    @Override
    public Integer call() throws IOException {
        if (noises < 1 || clips < 1) throw new IllegalArgumentException("--noises " + noises + ", --clips " + clips + ": each at least 1");
        if (sheet != null) requireDrawable(sheet);
        try (var backend = device.open(threads);
                var _ = Tape.off()) {
            var files = new ModelFiles(models);
            var memory = Generate.plan(backend, files, Sampler.EULER, g -> Sampler.EULER.schedule(steps, g.shift())).announced();
            var generator = Models.generator(files, backend);
            backend.trim(); // as Networks does
            var data = new ShapeMoving(Preset.mini());
            var directions = new int[ShapeMoving.CLASSES.size()];
            int kept = 0;
            double first = 0;
            var schedule = Sampler.EULER.schedule(steps, generator.shift());
            var shown = new ArrayList<ContactSheet.Row>();
            var found = new TreeMap<String, Integer>();
            try (var bar = Bar.of("clips", noises + (long) clips)) {
                var one = data.scene(seed, data.index(Split.TEST, 0)).render();
                for (int i = 0; i < noises; i++) {
                    var made = Generate.make(generator, one, seed, i, Sampler.EULER, schedule);
                    if (i < 8) shown.add(new ContactSheet.Row("noise " + i, made));
                    int direction = Tracker.track(made).direction();
                    if (direction >= 0) directions[direction]++;
                    bar.step();
                }
                for (int i = 0; i < clips; i++) {
                    var original = data.scene(seed, data.index(Split.TEST, i)).render();
                    var made = Generate.make(generator, original, seed, 1000 + i, Sampler.EULER, schedule);
                    if (i < 8) shown.add(new ContactSheet.Row("clip " + i, made));
                    var faults = faults(Tracker.track(made));
                    if (faults.isEmpty()) kept++;
                    for (var fault : faults) found.merge(fault, 1, Integer::sum);
                    first += Ssim.rgb(Frames.of(original), Frames.of(made))[0] / clips;
                    bar.step();
                }
            }
            if (sheet != null) ContactSheet.write(sheet, shown, 5, 96);
            System.out.println(memory.line());
            return verdict(directions, kept / (double) clips, found, first);
        }
    }

    private static void requireDrawable(Path png) {
        var folder = png.toAbsolutePath().getParent();
        if (!Files.isDirectory(folder)) throw new IllegalArgumentException(png + ": no such folder: " + folder);
        if (Files.isDirectory(png)) throw new IllegalArgumentException(png + ": is a folder; --sheet names a PNG");
    }

    private Integer verdict(int[] directions, double kept, Map<String, Integer> faults, double first) {
        boolean all = true;
        System.out.printf("one first frame, %d noises:", noises);
        for (int c = 0; c < directions.length; c++) {
            double share = directions[c] / (double) noises;
            all &= share >= EACH_DIRECTION;
            System.out.printf(Locale.ROOT, " %s %.2f", ShapeMoving.CLASSES.get(c), share);
        }
        System.out.printf(Locale.ROOT, " (each must be %.2f)%n", EACH_DIRECTION);
        System.out.printf(Locale.ROOT, "one object, same shape and colour, straight: %.3f of %d clips (must be %.2f)%n", kept, clips, KEPT);
        if (!faults.isEmpty())
            System.out.println("  clips with a fault in their " + faults.toString().replaceAll("[{}]", "").replace('=', ' '));
        System.out.printf(Locale.ROOT, "first frame kept: SSIM %.3f (must be %.2f)%n", first, FIRST_FRAME);
        return all && kept >= KEPT && first >= FIRST_FRAME ? ExitCode.DONE : ExitCode.NO;
    }

    /// What is wrong with the object's motion or looks; nothing if it is one object that moves straight and keeps its shape and colour.
    private static List<String> faults(Track track) {
        var faults = new ArrayList<String>();
        if (track.direction() < 0 || !track.moves(track.direction())) faults.add("motion");
        if (track.components() != 1) faults.add("number");
        if (track.areaRatio() > Track.AREA) faults.add("size");
        if (track.colorDrift() > Track.COLOR) faults.add("colour");
        if (track.shapeDrift() > Track.SHAPE) faults.add("shape");
        return faults;
    }
}
