package otherwise.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.data.Preset;
import otherwise.io.Video;

/// The page in a real browser without a window, where there is one: skipped by name elsewhere.
class PageInBrowserTest {

    private static final List<String> BROWSERS = List.of("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");

    /// Room for a sheet of frames and a rest, and sides that no power of two divides.
    private static final ReportData DATA = Demo.data(new Preset("odd", 97, 50, 46, 16, 1, 4, 1), 3);

    @TempDir
    private Path folder;
    private Path browser;

    @BeforeEach
    void findBrowser() {
        browser = Stream.of(System.getenv("PATH").split(File.pathSeparator))
                .flatMap(path -> BROWSERS.stream().map(name -> Path.of(path, name)))
                .filter(Files::isExecutable)
                .findFirst()
                .orElse(null);
        assumeTrue(browser != null, "no browser of " + BROWSERS + " on this machine");
    }

    @Test
    void thePageAsWrittenRunsItsScript() throws Exception {
        var page = opened(Report.html(DATA));
        assertEquals("97", attribute(page, "data-ready"));
        assertEquals("", attribute(page, "data-error"));
        assertTrue(Pattern.compile("frame \\d+ / 97 · \\d\\.\\d\\d s").matcher(page).find(), "the frame shown is said");
        assertEquals(97, count(page, "<rect x="), "a bar a frame; n is on rectangles of a class");
        assertEquals(6, count(page, "<path class=\"line"), "target, source, L1, cross-entropy, style, norm");
    }

    /// What is seen is what was computed: pixels of all panels after stepping by slider and keys, against the clips themselves.
    @Test
    void panelsShowTheSameFrameBitByBit() throws Exception {
        var probe = """
                <script>
                const sum = id => contexts[id].getImageData(0, 0, width, height).data
                    .reduce((s, v, i) => i % 4 === 3 ? s : (s * 31 + v) % 1000003, 7);
                const seen = () => [frame, ...panels.map(sum)].join(" ");
                const press = key => document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
                const wait = setInterval(() => {
                    if (!root.dataset.ready) return;
                    clearInterval(wait);
                    const all = [];
                    element("frame").value = 42;
                    element("frame").dispatchEvent(new Event("input"));
                    all.push(seen());
                    press("ArrowRight");
                    all.push(seen());
                    element("back").click();
                    element("back").click();
                    all.push(seen());
                    press("End");
                    all.push(seen());
                    press("ArrowRight");
                    all.push(seen());
                    press("ArrowLeft");
                    element("gain").value = 8;
                    element("gain").dispatchEvent(new Event("change"));
                    all.push(seen());
                    root.dataset.seen = all.join(",");
                }, 10);
                </script>
                """;
        var html = Report.html(DATA).replaceFirst("<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "").replace("</body>",
                probe + "</body>");
        var difference = Difference.of(DATA.original(), DATA.counterfactual());
        int gain = Integer.highestOneBit(Math.clamp(255 / difference.most(), 1, 8));
        var expected = new ArrayList<String>();
        for (int t : new int[] {42, 43, 41, 96, 0}) expected.add(seen(t, difference.video(gain)));
        expected.add(seen(96, difference.video(8)));
        var page = opened(html, "data-seen");
        assertEquals("", attribute(page, "data-error"));
        assertEquals(String.join(",", expected), attribute(page, "data-seen"));
    }

    @Test
    void namesThatAreMarkupStayNames() throws Exception {
        var attack = "</script><script>document.documentElement.dataset.error = 'ran'</script><img src=x onerror=\"root.dataset.error=1\">";
        var iteration = new ReportData.Iteration(attack, 1, 0.5, 0.5, Map.of(attack, 1.0), Map.of(), 1);
        var page = opened(Report.html(new ReportData(
                attack, attack, DATA.original(), DATA.counterfactual(), List.of(attack, attack, attack, attack), DATA.before(),
                DATA.after(), 0, 1,
                List.of(iteration), 1, Map.of(attack, attack), Map.of(attack, attack), attack, Map.of(attack, 1.0), Map.of(attack, 1.0))));
        assertEquals("97", attribute(page, "data-ready"));
        assertEquals("", attribute(page, "data-error"));
        assertFalse(page.contains("<img"));
    }

    @Test
    void aRunWithoutLogOrDifferenceIsShownToo() throws Exception {
        var page = opened(Report.html(new ReportData(
                "t", "q", DATA.original(), DATA.original(), DATA.classes(), DATA.before(), DATA.before(), 0, 1, List.of(), -1, Map.of(),
                Map.of(),
                "c", Map.of("PSNR (dB)", Double.POSITIVE_INFINITY), Map.of())));
        assertEquals("97", attribute(page, "data-ready"));
        assertEquals("", attribute(page, "data-error"));
        assertTrue(page.contains("id=\"log\" hidden"));
        assertTrue(page.contains("<dd>∞</dd>"));
    }

    private static String seen(int t, Video difference) {
        return t + " " + sum(DATA.original(), t) + " " + sum(DATA.counterfactual(), t) + " " + sum(difference, t);
    }

    private static long sum(Video video, int t) {
        int size = video.height() * video.width() * 3;
        long sum = 7;
        for (int i = t * size; i < (t + 1) * size; i++) sum = (sum * 31 + (video.rgb()[i] & 255)) % 1_000_003;
        return sum;
    }

    private String opened(String html) throws IOException, InterruptedException {
        return opened(html, "data-ready");
    }

    /// The page's elements once its script, or the probe in it, has set its last attribute. Its three seconds are the browser's own, and may pass before the pictures are decoded, which
    /// takes real ones: then the page is opened again.
    private String opened(String html, String last) throws IOException, InterruptedException {
        var page = dumped(html);
        for (int more = 0; more < 9 && (attribute(page, last) + attribute(page, "data-error")).isEmpty(); more++)
            page = dumped(html);
        return page;
    }

    private String dumped(String html) throws IOException, InterruptedException {
        var file = Files.writeString(folder.resolve("a report <b> & ünï.html"), html);
        var out = folder.resolve("dom.html").toFile();
        var process = new ProcessBuilder(
                browser.toString(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--user-data-dir=" + folder.resolve("profile"), "--virtual-time-budget=3000", "--dump-dom", file.toUri().toString())
                .redirectOutput(out)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            assertTrue(process.waitFor(120, TimeUnit.SECONDS), "the browser did not end");
            assertEquals(0, process.exitValue());
        } finally {
            // Its own children outlive it for a moment, and would write into a folder that is being removed.
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
        return Files.readString(out.toPath(), StandardCharsets.UTF_8);
    }

    /// An attribute of the root element, or nothing.
    private static String attribute(String page, String name) {
        var match = Pattern.compile("^[^>]*<html[^>]*\\s" + name + "=\"([^\"]*)\"").matcher(page.replaceFirst("(?i)<!doctype html>", ""));
        return match.find() ? match.group(1) : "";
    }

    private static int count(String text, String part) {
        return (text.length() - text.replace(part, "").length()) / part.length();
    }
}
