package otherwise.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import otherwise.data.Preset;
import otherwise.data.Scene;
import otherwise.data.ShapeMoving;
import otherwise.data.Tracker;
import otherwise.explain.Bttf;
import otherwise.explain.BttfOptions;
import otherwise.explain.BttfOptions.Start;
import otherwise.explain.BttfSchedule;
import otherwise.explain.Counterfactual;
import otherwise.explain.Journal;
import otherwise.explain.Method;
import otherwise.explain.ModelFiles;
import otherwise.explain.Models;
import otherwise.explain.Networks;
import otherwise.explain.Question;
import otherwise.io.AtomicFile;
import otherwise.io.InvalidFileException;
import otherwise.io.Video;
import otherwise.metrics.Frames;
import otherwise.metrics.Ssim;
import otherwise.report.ContactSheet;
import otherwise.report.Table;
import otherwise.tensor.Random;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `otherwise evaluate`: how good are the explanations, over many clips, and what does each part of the method do for them?
///
/// Flips are judged on the 8-bit video. A flip is *semantic* if a tracker that knows nothing of the classifier sees the same object really
/// move in the target direction; a flip without that is an adversarial example. Closeness is read against the ideal counterfactual, which
/// the data set can draw: the same object from the same start, going the other way.
@Command(
        name = "evaluate",
        description = "Explain many held-out clips and report flips, semantic flips and closeness; also for variants of the method.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Examples:",
            "  otherwise evaluate --clips 50 --out evaluation",
            "  otherwise evaluate --clips 10 --variant default --variant no-style --variant straight --out ablation",
            "A stopped evaluation goes on where it stopped."
        })
final class Evaluate implements Callable<Integer> {
    /// With which models a folder was begun.
    private static final String MODELS = "models.json";

    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final double FLIPS = 0.95;
    private static final double SEMANTIC = 0.90;

    @Option(names = "--clips", defaultValue = "50", paramLabel = "N",
            description = "Held-out clips, each with a random other class (default: ${DEFAULT-VALUE}).")
    private int clips;

    @Option(
            names = "--variant",
            paramLabel = "NAME",
            description = {
                "What to run, may be repeated: default, anchored, random-start, inversion, reverse-ode, no-style,",
                "straight, restless (z_T moves on though the target holds), paper (literal; slow).",
                "Default: default."
            })
    private List<String> variants = new ArrayList<>(List.of());

    @Option(names = "--seed", defaultValue = "1", paramLabel = "N",
            description = "Seed of clips, targets and noise (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--lr", paramLabel = "RATE", description = "Learning rate of every variant (default: its own).")
    private Double rate;

    @Option(names = "--out", required = true, paramLabel = "DIR",
            description = "Folder for a line and a picture per clip, table.md and table.csv.")
    private Path out;

    @Mixin
    private ModelOptions models;

    @Mixin
    private GraphOptions graphs;

    /// What became of one clip.
    record Outcome(
            long clip, String source, String target, boolean flipped, boolean semantic, double ssim, double ideal, double background,
            int iterations, double seconds) {}

    private BttfOptions variant(String name) {
        var variant = published(name);
        return rate == null ? variant : variant.withLearningRate(rate);
    }

    private static BttfOptions published(String name) {
        var o = BttfOptions.standard();
        return switch (name) {
            case "default" -> o;
            case "anchored" -> o.with(Start.BEST_OF, 0);
            case "random-start" -> o.with(Start.RANDOM, 0);
            case "inversion" -> o.with(Start.INVERSION, 40);
            case "reverse-ode" -> o.with(Start.REVERSE_ODE, 0);
            case "no-style" -> o.withLambda(0);
            case "straight" -> o.with(BttfSchedule.straight());
            case "restless" -> o.with(new BttfSchedule(BttfSchedule.Mode.BUDGET, 0, 40, 15, 0.9, 2, 3));
            case "paper" -> BttfOptions.paper();
            default -> throw new IllegalArgumentException(
                    "no variant '" + name
                            + "'; there are: default, anchored, random-start, inversion, reverse-ode, no-style, straight, restless, paper");
        };
    }

    @Override
    public Integer call() throws IOException {
        if (clips < 1) throw new IllegalArgumentException("--clips " + clips + ": at least 1");
        if (variants.isEmpty()) variants.add("default");
        var options = variants.stream().map(this::variant).toArray(BttfOptions[]::new);
        OutputFolder.require(out);
        requireShapeMoving(models.files());
        var hashes = RunFolder.hashes(models.files());
        requireBegunWith(hashes);
        var done = new LinkedHashMap<String, Map<Long, Outcome>>();
        for (var name : variants) done.put(name, done(lines(name)));
        var results = new LinkedHashMap<String, List<Outcome>>();
        try (var backend = models.open()) {
            var memory = Explanation.plan(backend, models.files(), graphs, options);
            var networks = graphs.open(models.files(), backend);
            memory.announced();
            Files.createDirectories(out);
            AtomicFile.write(out.resolve(MODELS), JSON.writeValueAsString(hashes));
            for (var name : done.keySet()) results.put(name, outcomes(name, done.get(name), networks));
            System.out.println(memory.line());
        }
        var table = table(results);
        System.out.print(table.text());
        AtomicFile.write(out.resolve("table.md"), table.markdown());
        AtomicFile.write(out.resolve("table.csv"), csv(results));
        var main = results.values().iterator().next();
        return share(main, Outcome::flipped) >= FLIPS && semanticShare(main) >= SEMANTIC ? ExitCode.DONE : ExitCode.NO;
    }

    private static void requireShapeMoving(ModelFiles files) throws IOException {
        var format = Models.format(files);
        var needed = Train.format(Preset.mini());
        if (!format.equals(needed)) throw new InvalidFileException(files.generator(), "makes " + format + ", the data set has " + needed);
        var classes = Models.classes(files);
        if (!classes.equals(ShapeMoving.CLASSES)) {
            throw new InvalidFileException(files.classifier(), "knows " + classes + ", the data set " + ShapeMoving.CLASSES);
        }
    }

    /// Outcomes of other models are not put beside those that are there.
    private void requireBegunWith(Map<String, String> hashes) throws IOException {
        var file = out.resolve(MODELS);
        if (!Files.exists(file)) return;
        try {
            if (JSON.readTree(file.toFile()).equals(JSON.valueToTree(hashes))) return;
        } catch (JsonProcessingException e) {
            throw new InvalidFileException(file, "not what an evaluation writes", e);
        }
        throw new IllegalArgumentException(out + ": was begun with other models; name another folder");
    }

    /// Where the outcomes of a variant are written, a line for each clip.
    private Path lines(String name) {
        return out.resolve(stem(name) + ".jsonl");
    }

    private String stem(String name) {
        return name + "-seed" + seed + (rate == null ? "" : "-lr" + rate);
    }

    private static Map<Long, Outcome> done(Path file) throws IOException {
        var done = new LinkedHashMap<Long, Outcome>();
        if (Files.exists(file)) for (var line : Files.readAllLines(file)) {
            try {
                var outcome = JSON.readValue(line, Outcome.class);
                if (outcome == null) throw new InvalidFileException(file, "not what an evaluation writes");
                done.put(outcome.clip(), outcome);
            } catch (JsonProcessingException e) {
                throw new InvalidFileException(file, "not what an evaluation writes", e);
            }
        }
        return done;
    }

    /// One variant over all clips; those whose line is there already are not run again.
    private List<Outcome> outcomes(String name, Map<Long, Outcome> done, Networks networks) throws IOException {
        var file = lines(name);
        var pictures = Files.createDirectories(out.resolve(stem(name)));
        try (var bar = Bar.of(name, clips)) {
            for (long i = 0; i < clips; i++) {
                if (!done.containsKey(i)) {
                    var picture = pictures.resolve("clip-%03d.png".formatted(i));
                    done.put(i, outcome(i, seeded(variant(name), seed, i), networks, picture));
                    var lines = new StringBuilder();
                    for (var outcome : done.values()) lines.append(JSON.writeValueAsString(outcome)).append('\n');
                    AtomicFile.write(file, lines.toString());
                }
                bar.stepTo(i + 1);
            }
        }
        return done.values().stream().filter(o -> o.clip() < clips).toList();
    }

    /// With noise of its own for every clip.
    static BttfOptions seeded(BttfOptions options, long seed, long clip) {
        return options.withSeed(seed + clip);
    }

    /// Draws what was asked, the answer, and the ideal one: five frames of each.
    static void draw(Path png, Scene scene, int target, Video answer) throws IOException {
        ContactSheet.write(
                png,
                List.of(
                        new ContactSheet.Row(ShapeMoving.CLASSES.get(scene.label()), scene.render()),
                        new ContactSheet.Row("what if " + ShapeMoving.CLASSES.get(target), answer),
                        new ContactSheet.Row("ideal", scene.toward(target).render())),
                5,
                96);
    }

    private Outcome outcome(long i, BttfOptions options, Networks networks, Path picture) throws IOException {
        long began = System.nanoTime();
        var scene = VideoOptions.scene(seed, i);
        var original = scene.render();
        int source = scene.label();
        int other = (int) (Random.philox(seed, i).uniform(1)[0] * (ShapeMoving.CLASSES.size() - 1));
        int target = other < source ? other : other + 1;
        var ideal = scene.toward(target).render();
        Counterfactual found;
        try (var _ = networks.generator().backend().scope()) {
            found = new Bttf(options).explain(new Question(original, source, target), networks.generator(), networks.classifier(),
                    Method.Listener.NONE, Journal.NONE);
        }
        draw(picture, scene, target, found.video());
        var track = Tracker.track(found.video());
        var before = Tracker.track(original);
        return new Outcome(
                i,
                ShapeMoving.CLASSES.get(source),
                ShapeMoving.CLASSES.get(target),
                found.flipped(),
                track.moves(target) && track.keptObject(),
                Ssim.of(original, found.video()),
                Ssim.of(original, ideal),
                Ssim.background(Frames.of(original), Frames.of(found.video()), before.object(), track.object()),
                found.log().size(),
                (System.nanoTime() - began) * 1e-9);
    }

    private static double share(List<Outcome> outcomes, java.util.function.Predicate<Outcome> of) {
        return outcomes.stream().filter(of).count() / (double) outcomes.size();
    }

    /// The share of the flips that are semantic.
    private static double semanticShare(List<Outcome> outcomes) {
        var flips = outcomes.stream().filter(Outcome::flipped).toList();
        return flips.isEmpty() ? 0 : share(flips, Outcome::semantic);
    }

    private static double mean(List<Outcome> outcomes, java.util.function.ToDoubleFunction<Outcome> of) {
        return outcomes.stream().mapToDouble(of).filter(x -> !Double.isNaN(x)).average().orElse(Double.NaN);
    }

    private static Table table(Map<String, List<Outcome>> results) {
        var table = Table.of("variant", "clips", "flip rate", "semantic of flips", "SSIM", "ideal SSIM", "SSIM / ideal", "background SSIM",
                "iterations", "seconds");
        results.forEach((name, all) -> {
            double ssim = mean(all, Outcome::ssim);
            double ideal = mean(all, Outcome::ideal);
            table.row(
                    name,
                    all.size(),
                    format(share(all, Outcome::flipped)),
                    format(semanticShare(all)),
                    format(ssim),
                    format(ideal),
                    format(ssim / ideal),
                    format(mean(all, Outcome::background)),
                    String.format(Locale.ROOT, "%.1f", mean(all, Outcome::iterations)),
                    String.format(Locale.ROOT, "%.1f", mean(all, Outcome::seconds)));
        });
        return table;
    }

    private static String format(double x) {
        return String.format(Locale.ROOT, "%.3f", x);
    }

    private static String csv(Map<String, List<Outcome>> results) {
        var lines = new StringBuilder("variant,clip,source,target,flipped,semantic,ssim,ideal_ssim,background_ssim,iterations,seconds\n");
        results.forEach((name, all) -> all.forEach(o -> lines.append(String.format(
                Locale.ROOT,
                "%s,%d,%s,%s,%b,%b,%.5f,%.5f,%.5f,%d,%.2f%n",
                name,
                o.clip(),
                o.source(),
                o.target(),
                o.flipped(),
                o.semantic(),
                o.ssim(),
                o.ideal(),
                o.background(),
                o.iterations(),
                o.seconds()))));
        return lines.toString();
    }
}
