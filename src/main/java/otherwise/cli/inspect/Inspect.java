package otherwise.cli.inspect;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import otherwise.backend.Backends;
import otherwise.backend.Shape;
import otherwise.cli.ExitCode;
import otherwise.data.Preset;
import otherwise.data.ShapeMoving;
import otherwise.data.ShapeMoving.Split;
import otherwise.explain.VideoFormat;
import otherwise.io.TensorFile;
import otherwise.io.Video;
import otherwise.io.VideoFile;
import otherwise.report.ContactSheet;
import otherwise.report.Table;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `otherwise inspect`: the tree of a network or a file, and what a network would take. Weights are never read.
@Command(
        name = "inspect",
        description = {
            "Show what a network or a checkpoint is made of: names, shapes, types, parameters;",
            "and what the network would take for a video of a given size: operations, and memory",
            "with and without a way back. No weight is read or made: any size can be inspected."
        },
        mixinStandardHelpOptions = true,
        footer = {
            "", "Examples:", "  otherwise inspect wan-i2v-14b --frames 81 --height 480 --width 832 --depth 2",
            "  otherwise inspect weights/shape-moving-mini/generator.safetensors",
            "  otherwise inspect weights/shape-moving-mini/generator.safetensors --run 3 --layer blocks.2.self_attn --at 8,32,32"
        })
public final class Inspect implements Callable<Integer> {
    @Parameters(paramLabel = "WHAT", description = {
        "A preset (wan-i2v-14b, wan-t2v-14b, wan-t2v-1.3b, wan-i2v-1.3b, wan-vae, clip-vit-h-14, umt5-xxl, swin3d-t, swin3d-s, swin3d-b)",
        "or a file: .safetensors, *.index.json, .pth."})
    private String what;

    @Option(names = "--as", paramLabel = "PRESET", description = "The network that a file belongs to, where the file does not say so.")
    private String as;

    @Option(names = "--frames", paramLabel = "N", description = "Frames of the video (default: what the network is meant for).")
    private Integer frames;

    @Option(names = "--height", paramLabel = "N", description = "Its height in pixels.")
    private Integer height;

    @Option(names = "--width", paramLabel = "N", description = "Its width in pixels.")
    private Integer width;

    @Option(names = "--depth", defaultValue = "99", paramLabel = "N", description = "How many names deep the tree goes (default: all).")
    private int depth;

    @Option(names = "--run", paramLabel = "VIDEO", description = {
        "Run a network of a models folder on this video (a file, or the number of a held-out Shape-Moving clip)",
        "and list what its layers make of it."})
    private String run;

    @Option(names = "--layer", paramLabel = "PATH", description = "With --run: draw what this layer makes of the video.")
    private String layer;

    @Option(names = "--at", paramLabel = "F,ROW,COL", split = ",",
            description = "With --layer blocks.I.self_attn: draw where this pixel of frame F looks.")
    private int[] at;

    @Option(names = "--channels", defaultValue = "8", paramLabel = "N",
            description = "How many channels to draw, the most varied first (default: ${DEFAULT-VALUE}).")
    private int channels;

    @Option(names = "--noise", defaultValue = "0.5", paramLabel = "SIGMA",
            description = "How noisy the generator's input is, 0 to 1 (default: ${DEFAULT-VALUE}).")
    private double noise;

    @Option(names = "--out", defaultValue = "layer.png", paramLabel = "PNG", description = "The picture (default: ${DEFAULT-VALUE}).")
    private Path out;

    @Override
    public Integer call() throws IOException {
        if (run != null) return glance();
        if (layer != null || at != null) throw new IllegalArgumentException("--layer and --at need --run VIDEO");
        if (depth < 1) throw new IllegalArgumentException("--depth " + depth + ": at least 1");
        var path = Path.of(what);
        boolean file = Files.exists(path) || what.endsWith(".safetensors") || what.endsWith(".json") || what.endsWith(".pth");
        var subjects = as != null ? Map.of("", Subjects.named(as)) : file ? Subjects.of(path) : Map.of("", Subjects.named(what));
        var tensors = new LinkedHashMap<String, NameTree.Leaf>();
        if (file) {
            try (var opened = TensorFile.open(path)) {
                opened.entries().forEach(
                        (name, e) -> tensors.put(name, new NameTree.Leaf(Shape.of(e.shape()), e.dtype().toLowerCase(Locale.ROOT))));
            }
        }
        var runs = new LinkedHashMap<String, DryRun>();
        subjects.forEach((prefix, subject) -> {
            var run = DryRun.of(subject, size(subject.usual()));
            runs.put(prefix, run);
            if (!file) run.asked().forEach((name, shape) -> tensors.put(prefix + name, new NameTree.Leaf(shape, "")));
        });
        print(tensors, runs);
        return ExitCode.DONE;
    }

    private int glance() throws IOException {
        if (at != null && (layer == null || at.length != 3)) throw new IllegalArgumentException("--at takes F,ROW,COL and needs --layer");
        if (!(noise >= 0 && noise <= 1)) throw new IllegalArgumentException("--noise " + noise + ": from 0 to 1");
        if (channels < 0) throw new IllegalArgumentException("--channels " + channels + ": not negative");
        try (var backend = Backends.open("cpu", 0)) {
            var glance = Glance.of(Path.of(what), backend, this::video, noise, 0);
            if (layer == null) {
                System.out.print(glance.table());
                return ExitCode.DONE;
            }
            ContactSheet.write(out, at == null ? glance.maps(layer, channels) : glance.attention(layer, at), 9, 96);
            System.out.println(out);
            return ExitCode.DONE;
        }
    }

    private Video video(VideoFormat format) throws IOException {
        boolean sample = !run.isEmpty() && run.chars().allMatch(Character::isDigit);
        if (!sample && !Files.exists(Path.of(run))) throw new IllegalArgumentException(run + ": no such file");
        var whole = sample ? sample(Long.parseLong(run)) : VideoFile.read(Path.of(run));
        return format == null ? whole : whole.prepare(format.frames(), format.height(), format.width(), format.fps()).video();
    }

    private static Video sample(long i) {
        var data = new ShapeMoving(Preset.mini());
        return data.scene(1, data.index(Split.TEST, i)).render();
    }

    private Size size(Size usual) {
        for (var side : new Integer[] {frames, height, width}) {
            if (side != null && side < 1)
                throw new IllegalArgumentException(side + ": a video needs frames, height and width of at least 1");
        }
        return new Size(frames == null ? usual.frames() : frames, height == null ? usual.height() : height,
                width == null ? usual.width() : width);
    }

    private void print(Map<String, NameTree.Leaf> tensors, Map<String, DryRun> runs) {
        var tree = NameTree.of(tensors);
        // Of several passes, the tree shows the first: the others go the same way, or the way back.
        runs.forEach((prefix, run) -> tree.add(prefixed(prefix, run.passes().values().iterator().next().forward())));
        tree.print(System.out, depth);
        var types = new TreeMap<String, Long>();
        tensors.values().forEach(leaf -> types.merge(leaf.dtype(), leaf.shape().size(), Long::sum));
        System.out.printf("%n%,d tensors, %,d elements%s%n", tensors.size(), tree.parameters(),
                types.keySet().equals(Set.of("")) ? "" : " " + types);
        if (runs.isEmpty()) {
            System.out.println("No network is known for this file; --as PRESET names one, and then operations and memory are shown.");
            return;
        }
        var table = Table.of("pass", "input", "forward", "with the way back", "memory forward", "way back, kept", "way back, recomputed");
        runs.forEach((prefix, run) -> run.passes().forEach((pass, cost) -> table.row(
                prefix + pass.name(),
                Shape.of(pass.input()).toString(),
                Amount.operations(cost.whole().products()),
                cost.back() == null ? "–" : Amount.operations(cost.back().products()),
                Amount.bytes(cost.forwardBytes()),
                cost.kept() == 0 ? "–" : Amount.bytes(cost.kept()),
                cost.recomputed() == 0 ? "–" : Amount.bytes(cost.recomputed()))));
        System.out.println();
        System.out.print(table.text());
        runs.forEach((prefix, run) -> System.out
                .println("weights " + (prefix.isEmpty() ? "" : "of " + prefix + " ") + "in f32: " + Amount.bytes(run.weights())));
        System.out
                .println("Operations are those of matrix products, convolutions and attention; a multiplication and an addition are two.");
        System.out.println("The way back is the gradient to the input, weights frozen. Memory is in f32 and comes on top of the weights.");
    }

    private static <T> Map<String, T> prefixed(String prefix, Map<String, T> map) {
        var all = new LinkedHashMap<String, T>();
        map.forEach((name, value) -> all.put(prefix + name, value));
        return all;
    }
}
