package otherwise.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.data.Preset;
import otherwise.data.ShapeMoving;
import otherwise.io.VideoFile;

class ReportTest {

    private static final String ATTACK = "</script><script>alert('x')</script>\"><img src=x onerror=alert(1)>{{data}} $0 \\";

    @TempDir
    private Path folder;

    @Test
    void noStringFromOutsideBecomesMarkup() {
        var demo = Demo.data(Preset.mini(), 3);
        var classes = List.of(ATTACK + 0, ATTACK + 1, ATTACK + 2, ATTACK + 3);
        var iteration = new ReportData.Iteration(ATTACK, 1, 0.5, 0.4, Map.of(ATTACK, 1.0), Map.of(ATTACK, 2.0), 1);
        var data = new ReportData(
                ATTACK, ATTACK, demo.original(), demo.counterfactual(), classes, demo.before(), demo.after(), 0, 2, List.of(iteration), 0,
                Map.of(ATTACK, ATTACK), Map.of(ATTACK, ATTACK), ATTACK, Map.of(ATTACK, 1.0), Map.of(ATTACK, 1.0));
        var html = Report.html(data);
        assertEquals(2, count(html, "<script"), "the page's own scripts and no other");
        assertEquals(2, count(html, "</script"));
        assertFalse(html.contains("<img"));
        // What looks like a slot of the template stays what it is: the data stand once in the page.
        assertEquals(1, count(html, "\"perFrame\""));
        assertTrue(html.contains("<pre id=\"command\" tabindex=\"0\">&lt;/script&gt;&lt;script&gt;alert(&#39;x&#39;)"));
    }

    @Test
    void thePageAsksForNothing() throws Exception {
        var html = Report.html(Demo.data(Preset.mini(), 3));
        // The name of the SVG namespace is the only address in it, and nobody goes there.
        assertEquals(List.of(), found(html.replace("http://www.w3.org/2000/svg", ""), "https?://[^\"' ]*"));
        assertEquals(List.of(), found(html, "(?:src|href)\\s*=\\s*[\"'](?!data:)[^\"']*"));
        assertEquals(List.of(), found(html, "@import[^;]*|\\burl\\([^)]*\\)|\\bfetch\\(|XMLHttpRequest"));
        var script = found(html, "(?s)(?<=<script>).*?(?=</script>)").getFirst();
        var hash = Base64.getEncoder().encodeToString(MessageDigest.getInstance("SHA-256").digest(script.getBytes(StandardCharsets.UTF_8)));
        assertTrue(html.contains("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" + hash + "'"));
    }

    @Test
    void framesComeBackBitByBit() throws IOException {
        // More frames than a sheet has room for, and an odd number of them.
        var video = Demo.clip(new ShapeMoving(new Preset("long", 97, 50, 46, 16, 1, 4, 1)).scene(1, 2));
        var sheets = Sheets.of(video);
        assertEquals(81, sheets.rows());
        assertEquals(2, sheets.pngs().size());
        for (int t = 0; t < video.frames(); t++) {
            var sheet = ImageIO.read(new ByteArrayInputStream(Base64.getDecoder().decode(sheets.pngs().get(t / sheets.rows()))));
            var expected = video.image(t);
            for (int y = 0; y < video.height(); y++) {
                for (int x = 0; x < video.width(); x++) {
                    assertEquals(expected.getRGB(x, y), sheet.getRGB(x, t % sheets.rows() * video.height() + y));
                }
            }
        }
    }

    @Test
    void allFilesAreWritten() throws IOException {
        var data = Demo.data(Preset.mini(), 3);
        Report.writeAll(folder, data);
        assertEquals(Report.html(data), Files.readString(folder.resolve("report.html")));
        var wide = VideoFile.read(folder.resolve("side-by-side.mp4"));
        assertEquals(List.of(17, 294, 800), List.of(wide.frames(), wide.height(), wide.width()));
        var preview = VideoFile.read(folder.resolve("preview.gif"));
        assertEquals(List.of(17, 294, 536), List.of(preview.frames(), preview.height(), preview.width()));
        try (var files = Files.list(folder)) {
            assertEquals(3, files.count(), "no temporary file is left");
        }
    }

    @Test
    void manyClassesAreFoldedButNeverTheTwoInQuestion() {
        var demo = Demo.data(Preset.mini(), 3);
        var classes = IntStream.range(0, 400).mapToObj(k -> "class " + k).toList();
        var before = new double[400];
        var after = new double[400];
        Arrays.fill(before, 0.0001);
        before[7] = 0.96;
        after[8] = 1;
        var data = new ReportData(
                "t", "q", demo.original(), demo.counterfactual(), classes, before, after, 7, 399, List.of(), -1, Map.of(), Map.of(), "c",
                Map.of(), Map.of());
        var html = Html.probabilities(data);
        assertTrue(html.contains("387 further classes, none above &lt;0.01"), html);
        assertTrue(html.indexOf(">class 399<") < html.indexOf("<details>"));
        assertEquals(400, count(html, "<th scope=\"row\">"));
    }

    @Test
    void dataThatDoNotFitAreRefused() {
        var demo = Demo.data(Preset.mini(), 3);
        var e = assertThrows(IllegalArgumentException.class, () -> new ReportData(
                "t", "q", demo.original(), demo.counterfactual(), demo.classes(), new double[3], demo.after(), 0, 2, List.of(), -1,
                Map.of(),
                Map.of(), "c", Map.of(), Map.of()));
        assertEquals("4 classes, but 3 probabilities before and 4 after", e.getMessage());
        var small = demo.counterfactual().resized(32, 32);
        e = assertThrows(IllegalArgumentException.class, () -> new ReportData(
                "t", "q", demo.original(), small, demo.classes(), demo.before(), demo.after(), 0, 2, List.of(), -1, Map.of(), Map.of(), "c",
                Map.of(), Map.of()));
        assertTrue(e.getMessage().startsWith("original and counterfactual differ in size"), e.getMessage());
    }

    private static int count(String text, String part) {
        return (text.length() - text.replace(part, "").length()) / part.length();
    }

    private static List<String> found(String text, String pattern) {
        return Pattern.compile(pattern).matcher(text).results().map(r -> r.group()).toList();
    }
}
