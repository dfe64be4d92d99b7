package otherwise.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Locale;
import java.util.regex.Pattern;
import otherwise.backend.Backend;
import otherwise.diffusion.Sampler;
import otherwise.explain.PromptEmbedding;
import otherwise.explain.Question;
import otherwise.explain.TokenizerFile;
import otherwise.explain.WanFolder;
import otherwise.explain.WanPipeline;
import otherwise.io.Video;
import otherwise.io.VideoFile;
import otherwise.nn.Trace;
import otherwise.report.ContactSheet;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/// The official image-to-video driver on a downloaded model.
final class WanOptions {
    /// Frames a second of Wan's videos.
    private static final double FPS = 16;
    private static final Pattern SIZE = Pattern.compile("(\\d{1,5})[x×](\\d{1,5})");
    private static final Pattern BLOCK = Pattern.compile("blocks\\.\\d+");

    @Option(names = "--wan", required = true, paramLabel = "DIR", description = {
        "A folder with transformer, autoencoder and CLIP, and umT5 with its tokenizer",
        "if prompts are to be encoded. Weights are read when their turn comes."})
    private Path folder;

    @ArgGroup(exclusive = true, multiplicity = "1")
    private Text text;

    private static final class Text {
        @Option(names = "--prompt", paramLabel = "TEXT", description = "What is to happen; encoded by umT5 in the folder.")
        private String prompt;

        @Option(names = "--context", paramLabel = "FILE", description = "A prompt that `otherwise prompt` has encoded.")
        private Path context;
    }

    @Option(names = "--negative", paramLabel = "TEXT", description = "What is not to happen (default: an empty prompt).")
    private String negative;

    @Option(names = "--negative-context", paramLabel = "FILE", description = "The same, encoded already.")
    private Path negativeContext;

    @Option(names = "--guidance", defaultValue = "5", paramLabel = "G",
            description = "How far away from the negative prompt; 1 does without it, in half the time (default: ${DEFAULT-VALUE}).")
    private double guidance;

    @Option(names = "--frames", defaultValue = "81", paramLabel = "N", description = "Frames, 1 + 4n (default: ${DEFAULT-VALUE}).")
    private int frames;

    @Option(names = "--size", defaultValue = "480x832", paramLabel = "HxW",
            description = "About how many pixels; the shape is the image's (default: ${DEFAULT-VALUE}).")
    private String size;

    /// Makes `count` videos that begin with the first frame of `image`.
    void generate(Video image, Backend backend, Sampler sampler, Integer steps, Double shift, long seed, int count, Path out)
            throws IOException {
        var match = SIZE.matcher(size);
        if (!match.matches()) throw new IllegalArgumentException("--size " + size + ": a height and a width, such as 480x832");
        long area = Long.parseLong(match.group(1)) * Long.parseLong(match.group(2));
        var options = new WanPipeline.Options(
                sampler, steps == null ? 40 : steps, shift != null ? shift : area <= 480 * 832 ? 3 : 5, guidance, frames, area);
        boolean guided = guidance != 1;
        try (var model = WanFolder.open(folder)) {
            var positive = text.context != null ? read(text.context, backend) : written(model, text.prompt, backend);
            var avoided = !guided ? null
                    : negativeContext != null ? read(negativeContext, backend) : written(model, negative == null ? "" : negative, backend);
            int longest = Math.max(positive.tokens, guided ? avoided.tokens : 0);
            var needed = model.memory(backend, image.height(), image.width(), longest, guided, options);
            var memory = MemoryPlan.of(backend, needed, "fewer --frames and a smaller --size take less").announced();

            var context = positive.encoding.context();
            var contextNull = guided ? avoided.encoding.context() : null;
            backend.trim(); // the text encoder's sizes are not the transformer's
            var pipeline = model.pipeline(backend);
            var pixels = Question.tensor(image.first(), backend).reshape(3, image.height(), image.width());
            Files.createDirectories(out);
            var rows = new ArrayList<ContactSheet.Row>();
            long blocks = (long) model.config().numLayers() * options.steps() * (guided ? 2 : 1) * count;
            long start = System.nanoTime();
            try (var bar = Bar.of("blocks", blocks);
                    var _ = Trace.follow(name -> {
                        if (BLOCK.matcher(name).matches()) bar.step();
                    })) {
                for (int i = 0; i < count; i++) {
                    try (var _ = backend.scope()) {
                        var noise = Random.torch(seed + i).normal(backend, pipeline.latent(pixels, options).dims());
                        var made = pipeline.generate(pixels, context, contextNull, noise, options, WanPipeline.Listener.NONE);
                        var video = Video.fromChannelsFirst(made.floats(), (int) made.dim(1), (int) made.dim(2), (int) made.dim(3), FPS);
                        VideoFile.write(out.resolve(String.format("%03d.mp4", i)), video);
                        rows.add(new ContactSheet.Row("seed " + (seed + i), video));
                    }
                }
            }
            ContactSheet.write(out.resolve("sheet.png"), rows, 6, 192);
            System.out.printf(Locale.ROOT, "%d video%s in %s, %.1f s; %s%n", count, count == 1 ? "" : "s", out,
                    (System.nanoTime() - start) * 1e-9, memory.line());
        }
    }

    /// Makes the context of a prompt, `[L, dim]`.
    @FunctionalInterface
    private interface Encoding {
        Tensor context() throws IOException;
    }

    /// A prompt, whose length is known before minutes are spent on encoding it. What that takes is no part of the plan: a block of the encoder at
    /// a time, and it is given back before the rest begins.
    private record Prompt(int tokens, Encoding encoding) {}

    private static Prompt read(Path file, Backend backend) throws IOException {
        var context = PromptEmbedding.read(file, backend).context();
        return new Prompt((int) context.dim(0), () -> context);
    }

    private Prompt written(WanFolder model, String prompt, Backend backend) throws IOException {
        var encoder = model.textEncoder().orElseThrow(() -> new IllegalArgumentException(
                folder + ": no file in it holds the umT5 encoder; prompts encoded elsewhere come with --context and --negative-context"));
        var tokenizer = model.tokenizer().orElseThrow(() -> new IllegalArgumentException(
                folder + ": has no tokenizer.json or spiece.model, which the prompt needs"));
        var ids = TokenizerFile.open(tokenizer);
        int longest = model.config().textLen();
        return new Prompt(PromptEmbedding.ids(prompt, ids, longest).length, () -> {
            try (var bar = new LateBar("prompt")) {
                return PromptEmbedding.encode(prompt, ids, longest, encoder, backend, bar::done).context();
            }
        });
    }
}
