package otherwise.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import otherwise.io.AtomicFile;
import otherwise.io.Video;
import otherwise.io.VideoFile;
import otherwise.report.ReportData.Iteration;

/// The report of one counterfactual: `report.html`, a single file that needs nothing else, neither a network nor the files beside it.
///
/// Whatever comes from outside (names of files and classes, options, hashes) is escaped; and should something slip through, the page's own
/// content policy allows only the script with the hash that it was written with, and nothing to be loaded.
public final class Report {

    /// Above this many pixels the page shows the clips smaller: it holds every frame losslessly, and browsers must hold them all at once.
    private static final long MOST_PIXELS = 12_000_000;

    private static final Pattern SLOT = Pattern.compile("\\{\\{([a-z-]+)}}");
    /// One script for the browser, in this order: each may use what stands in those before it.
    private static final List<String> SCRIPTS = List.of("player.js", "change.js", "curves.js", "begin.js");

    private static final ObjectMapper JSON = new ObjectMapper();

    private Report() {}

    /// Writes into `folder`: `report.html`, `side-by-side.mp4` (original, what-if, difference), and `preview.gif` (original, what-if).
    ///
    /// @throws IOException if a file cannot be written; one line that names it
    public static void writeAll(Path folder, ReportData data) throws IOException {
        write(folder.resolve("report.html"), data);
        VideoFile.write(folder.resolve("side-by-side.mp4"), SideBySide.of(data, true));
        VideoFile.writeGif(folder.resolve("preview.gif"), SideBySide.of(data, false), 1);
    }

    /// Writes the page to `file`.
    ///
    /// @throws IOException if it cannot be written; one line that names it
    public static void write(Path file, ReportData data) throws IOException {
        AtomicFile.write(file, html(data));
    }

    /// The page.
    public static String html(ReportData data) {
        var script = SCRIPTS.stream().map(Report::resource).collect(Collectors.joining("\n"));
        var verdict = data.verdict();
        var parts = new LinkedHashMap<String, String>();
        parts.put("script-hash", "sha256-" + sha256(script));
        parts.put("style", resource("report.css"));
        parts.put("script", script);
        parts.put("title", Html.escaped(data.title()));
        parts.put("question", Html.escaped(data.question()));
        parts.put("headline", Html.headline(verdict));
        parts.put("outcome", Html.outcome(verdict));
        parts.put("figures", Html.figures(data.figures()));
        parts.put("probabilities", Html.probabilities(data));
        parts.put("timings", Html.timings(data.timings()));
        parts.put("options", Html.pairs(data.options()));
        parts.put("provenance", Html.pairs(data.provenance()));
        parts.put("command", Html.escaped(data.command()));
        parts.put("clip", Html.escaped(data.original().toString()));
        parts.put("data", json(data));
        return filled(resource("report.html"), parts::get);
    }

    /// Fills every slot of the template, once: what is put in is not searched again, so no value can ask for another.
    private static String filled(String template, Function<String, String> parts) {
        return SLOT.matcher(template).replaceAll(slot -> {
            var part = parts.apply(slot.group(1));
            if (part == null) throw new IllegalStateException("the template asks for " + slot.group());
            return Matcher.quoteReplacement(part);
        });
    }

    /// What the script draws, for a `<script type="application/json">`: no `<` inside, so nothing in it can end that element.
    private static String json(ReportData data) {
        var original = shown(data.original());
        var counterfactual = shown(data.counterfactual());
        var difference = Difference.of(data.original(), data.counterfactual());
        var sheets = Sheets.of(original);

        var page = new LinkedHashMap<String, Object>();
        page.put("frames", original.frames());
        page.put("height", original.height());
        page.put("width", original.width());
        page.put("fps", original.fps());
        page.put("rows", sheets.rows());
        page.put("original", sheets.pngs());
        page.put("counterfactual", Sheets.of(counterfactual).pngs());
        page.put("heat", HeatScale.STOPS);
        page.put("change", change(difference));
        page.put("source", data.classes().get(data.source()));
        page.put("target", data.classes().get(data.target()));
        page.put("kept", data.kept());
        page.put("log", log(data.iterations()));
        try {
            return JSON.writeValueAsString(page).replace("<", "\\u003c");
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("numbers and strings always make JSON", e);
        }
    }

    private static Video shown(Video video) {
        double share = Math.sqrt((double) MOST_PIXELS / ((double) video.frames() * video.height() * video.width()));
        if (share >= 1) return video;
        return video.resized(Math.max(1, (int) (video.height() * share)), Math.max(1, (int) (video.width() * share)));
    }

    private static Map<String, Object> change(Difference difference) {
        var change = new LinkedHashMap<String, Object>();
        change.put("most", difference.most());
        change.put("perFrame", difference.perFrame());
        change.put("height", difference.height());
        change.put("width", difference.width());
        change.put("columns", difference.columnsOverTime());
        change.put("rows", difference.rowsOverTime());
        return change;
    }

    /// The log by column, which is how curves are drawn.
    private static Map<String, Object> log(List<Iteration> iterations) {
        var log = new LinkedHashMap<String, Object>();
        log.put("stage", iterations.stream().map(Iteration::stage).toList());
        log.put("n", iterations.stream().map(Iteration::n).toList());
        log.put("target", column(iterations, Iteration::targetProbability));
        log.put("source", column(iterations, Iteration::sourceProbability));
        log.put("seconds", column(iterations, Iteration::seconds));
        log.put("losses", columns(iterations, Iteration::losses));
        log.put("figures", columns(iterations, Iteration::figures));
        return log;
    }

    private static Map<String, List<Double>> columns(List<Iteration> iterations, Function<Iteration, Map<String, Double>> values) {
        var names = new LinkedHashSet<String>();
        for (var iteration : iterations) names.addAll(values.apply(iteration).keySet());
        var columns = new LinkedHashMap<String, List<Double>>();
        for (var name : names) columns.put(name, column(iterations, i -> values.apply(i).get(name)));
        return columns;
    }

    /// What is missing or not a number becomes null, since JSON has no word for either.
    private static List<Double> column(List<Iteration> iterations, Function<Iteration, Double> value) {
        var column = new ArrayList<Double>();
        for (var iteration : iterations) {
            var v = value.apply(iteration);
            column.add(v == null || !Double.isFinite(v) ? null : v);
        }
        return column;
    }

    private static String resource(String name) {
        try (var in = Report.class.getResourceAsStream(name)) {
            if (in == null) throw new IllegalStateException("missing in the program: otherwise/report/" + name);
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read otherwise/report/" + name, e);
        }
    }

    private static String sha256(String text) {
        try {
            var digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
