package otherwise.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.concurrent.Callable;
import java.util.function.Function;
import otherwise.autograd.Activations;
import otherwise.backend.Backend;
import otherwise.diffusion.FlowSchedule;
import otherwise.diffusion.Sampler;
import otherwise.explain.Generator;
import otherwise.explain.ModelFiles;
import otherwise.explain.Models;
import otherwise.explain.Question;
import otherwise.explain.Rehearsal;
import otherwise.explain.VideoFormat;
import otherwise.io.Video;
import otherwise.io.VideoFile;
import otherwise.report.ContactSheet;
import otherwise.tensor.Random;
import otherwise.tensor.Tape;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `otherwise generate`: videos that go on from a first frame.
@Command(
        name = "generate",
        description = "Make videos that begin with a given frame: one for each noise.",
        mixinStandardHelpOptions = true,
        footer = {
            "", "Examples:", "  otherwise generate --sample 3 --count 4 --out generated",
            "  otherwise generate --wan Wan2.1-I2V-14B-480P --image cat.jpg --prompt \"a cat jumps\" --out cat"
        })
final class Generate implements Callable<Integer> {
    @ArgGroup(exclusive = true, multiplicity = "1")
    private First first;

    private static final class First {
        @Option(names = "--image", paramLabel = "FILE", description = "A picture: the first frame.")
        private Path image;

        @Option(names = "--video", paramLabel = "FILE", description = "A video whose first frame is taken.")
        private Path video;

        @Option(names = "--sample", paramLabel = "I", description = "The first frame of the I-th held-out Shape-Moving clip.")
        private Long sample;
    }

    @Option(names = "--count", defaultValue = "1", paramLabel = "N",
            description = "How many videos, each from its own noise (default: ${DEFAULT-VALUE}).")
    private int count;

    @Option(names = "--seed", defaultValue = "0", paramLabel = "N", description = "Seed of the noises (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--steps", paramLabel = "N", description = "Denoising steps (default: 15; with --wan, 40).")
    private Integer steps;

    @Option(names = "--solver", paramLabel = "NAME",
            description = "euler, unipc, dpm++, diffusers-euler or diffusers-unipc (default: euler; with --wan, unipc).")
    private String solver;

    @Option(names = "--shift", paramLabel = "S",
            description = "Shift of the noise schedule (default: the generator's; with --wan, 3 up to 480 x 832, else 5).")
    private Double shift;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "Folder for 000.mp4, 001.mp4, … and sheet.png.")
    private Path out;

    @Mixin
    private ModelOptions models;

    @ArgGroup(exclusive = false, heading = "%nA downloaded Wan2.1 model instead of those that ship:%n")
    private WanOptions wan;

    @Override
    public Integer call() throws IOException {
        if (count < 1) throw new IllegalArgumentException("--count " + count + ": at least 1");
        OutputFolder.requireEmpty(out, "");
        if (wan != null) return wan();
        var sampler = sampler();
        var frame = frame(Models.format(models.files()));
        try (var backend = models.open()) {
            var memory = plan(backend, models.files(), sampler, this::schedule).announced();
            var generator = Models.generator(models.files(), backend);
            backend.trim(); // as Networks does
            Files.createDirectories(out);
            var rows = new ArrayList<ContactSheet.Row>();
            try (var bar = Bar.of("videos", count)) {
                for (int i = 0; i < count; i++) {
                    var made = make(generator, frame, seed, i, sampler, schedule(generator));
                    VideoFile.write(out.resolve(String.format("%03d.mp4", i)), made);
                    rows.add(new ContactSheet.Row("noise " + i, made));
                    bar.step();
                }
            }
            ContactSheet.write(out.resolve("sheet.png"), rows, 6, 96);
            System.out.println(count + (count == 1 ? " video" : " videos") + " in " + out + ", " + memory.line());
            return ExitCode.DONE;
        }
    }

    private Sampler sampler() {
        return Sampler.named(solver == null ? "euler" : solver);
    }

    private FlowSchedule schedule(Generator generator) {
        return sampler().schedule(steps == null ? 15 : steps, shift == null ? generator.shift() : shift);
    }

    /// What one video takes that [#make] makes; the next takes the same again.
    static MemoryPlan plan(Backend backend, ModelFiles files, Sampler sampler, Function<Generator, FlowSchedule> schedule)
            throws IOException {
        var needed = Rehearsal.of(backend, dry -> {
            var generator = Models.generator(files, dry);
            dry.trim();
            var v = generator.video();
            var blank = new Video(1, v.height(), v.width(), v.fps(), new byte[3 * v.height() * v.width()]);
            make(generator, blank, 0, 0, sampler, schedule.apply(generator));
        });
        return MemoryPlan.of(backend, needed, "another --device or other --models may do");
    }

    private int wan() throws IOException {
        if (first.sample != null) throw new IllegalArgumentException("--wan goes with --image or --video, not with --sample");
        var image = file();
        try (var backend = models.open();
                var _ = Tape.off();
                var _ = backend.scope()) {
            wan.generate(image, backend, Sampler.named(solver == null ? "unipc" : solver), steps, shift, seed, count, out);
            return ExitCode.DONE;
        }
    }

    private Video frame(VideoFormat v) throws IOException {
        var whole = first.sample != null ? VideoOptions.scene(1, first.sample).render() : file();
        return whole.resized(v.height(), v.width());
    }

    private Video file() throws IOException {
        var path = first.image != null ? first.image : first.video;
        if (Files.isDirectory(path)) throw new IllegalArgumentException(path + ": is a folder, not a file with a first frame");
        return first.image != null ? VideoFile.readImage(path) : VideoFile.read(path);
    }

    /// The video that begins as `original` does and comes from noise `stream` of `seed`.
    static Video make(Generator generator, Video original, long seed, long stream, Sampler sampler, FlowSchedule schedule) {
        var backend = generator.backend();
        try (var _ = backend.scope();
                var _ = Tape.off()) {
            var flow = generator.condition(Question.tensor(original.first(), backend), 1, Activations.RECOMPUTE);
            var noise = Random.philox(seed, stream).normal(backend, generator.latent().dims());
            var latent = sampler.solver().integrate(flow, noise, schedule);
            var v = generator.video();
            return Video.fromChannelsFirst(generator.decode(latent, Activations.RECOMPUTE).floats(), v.frames(), v.height(), v.width(),
                    v.fps());
        }
    }
}
