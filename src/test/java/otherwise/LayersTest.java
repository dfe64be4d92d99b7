package otherwise;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/// The arrows of the design, kept by reading the sources: a room sees only the floors below it.
class LayersTest {

    private static final Set<String> TENSORS = Set.of("tensor", "backend");
    private static final Set<String> NETWORKS = Set.of("nn", "autograd", "tensor", "backend");
    private static final Set<String> METHODS =
            Set.of("diffusion", "models", "nn", "autograd", "tensor", "backend", "backend.dry", "io", "data", "metrics");

    /// Each room, and what it may see. What is not named here has no place in the house yet.
    private static final Map<String, Set<String>> SEES = Map.ofEntries(
            Map.entry("backend.cpu", Set.of("backend")),
            Map.entry("backend.cuda", Set.of("backend")),
            Map.entry("backend.dry", Set.of("backend")),
            Map.entry("backend.tornado", Set.of("backend")),
            Map.entry("backend", Set.of()),
            Map.entry("tensor", Set.of("backend")),
            Map.entry("autograd", TENSORS),
            Map.entry("nn", Set.of("autograd", "tensor", "backend")),
            Map.entry("diffusion", NETWORKS),
            Map.entry("models", NETWORKS),
            Map.entry("explain", METHODS),
            Map.entry("train", METHODS),
            Map.entry("io", TENSORS),
            Map.entry("data", Set.of("io", "tensor", "backend")),
            Map.entry("metrics", Set.of("explain", "io", "data", "tensor", "backend")),
            Map.entry("report", Set.of("explain", "metrics", "io", "data", "tensor", "backend")),
            Map.entry("cli",
                    Set.of("explain", "train", "diffusion", "models", "nn", "autograd", "tensor", "backend", "backend.dry", "io", "data",
                            "metrics", "report")));

    /// The one place that turns a name into a device.
    private static final String REGISTRY = "backend/Backends.java";

    /// Libraries that may be met in one room only.
    private static final Map<String, String> AT_HOME = Map.of(
            "jdk.incubator.vector", "backend.cpu",
            "jcuda.", "backend.cuda",
            "uk.ac.manchester.tornado", "backend.tornado",
            "picocli.", "cli");

    /// Rooms that look at results of a method, and so at its records, never at its workings.
    private static final Set<String> READERS = Set.of("metrics", "report");

    private static final Pattern NOT_CODE = Pattern.compile(
            "\"\"\".*?\"\"\"|\"(?:\\\\.|[^\"\\\\\n])*\"|'(?:\\\\.|[^'\\\\\n])+'|//[^\n]*|/\\*.*?\\*/|^\\s*package [^;]*;",
            Pattern.DOTALL | Pattern.MULTILINE);
    private static final Pattern REFERENCE = Pattern.compile("(?<![\\w.])otherwise((?:\\.[a-z]\\w*)+)(?:\\.([A-Z]\\w*|\\*))?");

    @Test
    void everyRoomLooksDown() throws IOException {
        var root = Path.of("src/main/java/otherwise");
        var sources = new TreeMap<String, String>();
        try (var files = Files.walk(root)) {
            for (var file : files.filter(f -> f.toString().endsWith(".java")).toList()) {
                sources.put(root.relativize(file).toString().replace('\\', '/'), Files.readString(file));
            }
        }
        assertTrue(sources.size() > 10, "found only " + sources.keySet());
        assertEquals("", String.join("\n", violations(sources)));
    }

    @Test
    void aLookUpIsFound() {
        assertFound("nn/Linear.java", "import otherwise.models.wan.WanVae;",
                "nn/Linear.java looks up at models; nn sees only autograd, backend, tensor");
        assertFound("nn/Linear.java", "import static otherwise.models.wan.WanVae.load;", "nn/Linear.java looks up at models");
        assertFound("tensor/Tensor.java", "Object x = otherwise.autograd.Gradients.of(y);", "tensor/Tensor.java looks up at autograd");
        assertFound("diffusion/Solver.java", "import otherwise.models.wan.WanTransformer;", "diffusion/Solver.java looks up at models");
        assertFound("models/wan/WanBlock.java", "import otherwise.diffusion.Solver;", "models/wan/WanBlock.java looks up at diffusion");
        assertFound("models/wan/WanBlock.java", "import otherwise.io.*;", "models/wan/WanBlock.java looks up at io");
        assertFound("train/Loop.java", "import otherwise.explain.Question;", "train/Loop.java looks up at explain");
        assertFound("io/Video.java", "import otherwise.nn.Linear;", "io/Video.java looks up at nn");
        assertFound("explain/Bttf.java", "import otherwise.cli.Otherwise;", "explain/Bttf.java looks up at cli");
        assertFound("cli/Explain.java", "import otherwise.backend.cpu.CpuBackend;", "cli/Explain.java looks up at backend.cpu");
        assertFound("tensor/Tensor.java", "import otherwise.backend.cpu.CpuBackend;", "tensor/Tensor.java looks up at backend.cpu");
        assertFound("backend/Backend.java", "import otherwise.backend.cpu.CpuBackend;", "backend/Backend.java looks up at backend.cpu");
        assertFound("tensor/Map.java", "import jdk.incubator.vector.FloatVector;",
                "tensor/Map.java uses jdk.incubator.vector, at home only in backend.cpu");
        assertFound("shed/Spade.java", "", "shed/Spade.java is in a room without a floor: shed");
    }

    @Test
    void resultsAreReadAsRecords() {
        var record = "package otherwise.explain;\npublic record Counterfactual(int steps) {}";
        var method = "package otherwise.explain;\npublic final class Bttf {}";
        var reader = "import otherwise.explain.Counterfactual;\nimport otherwise.explain.Bttf;";
        var found = violations(Map.of("explain/Counterfactual.java", record, "explain/Bttf.java", method, "metrics/FlipRate.java", reader));
        assertEquals(List.of("metrics/FlipRate.java looks at explain.Bttf, which is no record"), found);
    }

    @Test
    void twoRoomsNeverLookAtEachOther() {
        var record = "public record Counterfactual(int steps) { int flips() { return otherwise.metrics.FlipRate.of(this); } }";
        var reader = "import otherwise.explain.Counterfactual;";
        var found = violations(Map.of("explain/Counterfactual.java", record, "metrics/FlipRate.java", reader));
        assertEquals(List.of("explain and metrics look at each other"), found);
    }

    @Test
    void whatIsBelowOrOnlyMentionedIsFine() {
        var mentioned = """
                package otherwise.nn;
                import otherwise.tensor.Tensor;
                /// Used by [otherwise.models.wan.WanVae].   /* otherwise.cli.Otherwise */
                class Linear { String name = "otherwise.cli.Otherwise"; char quote = '"'; /* otherwise.io.Video */ }
                """;
        var registry = "import otherwise.backend.cpu.CpuBackend;";
        assertEquals(List.of(), violations(Map.of("nn/Linear.java", mentioned, REGISTRY, registry)));
    }

    private static void assertFound(String file, String code, String message) {
        var found = violations(Map.of(file, code));
        assertTrue(found.size() == 1 && found.getFirst().startsWith(message), "expected '" + message + "', found " + found);
    }

    /// What is wrong with `sources` (a path below the root package, and its text), a line each.
    private static List<String> violations(Map<String, String> sources) {
        var found = new ArrayList<String>();
        var arrows = new HashSet<List<String>>();
        for (var source : new TreeMap<>(sources).entrySet()) {
            var file = source.getKey();
            var from = room(file.substring(0, Math.max(0, file.lastIndexOf('/'))).replace('/', '.'));
            if (!SEES.containsKey(from)) {
                found.add(file + " is in a room without a floor: " + from);
                continue;
            }
            var code = NOT_CODE.matcher(source.getValue()).replaceAll(" ");
            AT_HOME.forEach((library, home) -> {
                if (!from.equals(home) && Pattern.compile("(?<![\\w.])" + Pattern.quote(library)).matcher(code).find()) {
                    found.add(file + " uses " + library + ", at home only in " + home);
                }
            });
            var blamed = new HashSet<String>();
            for (var match : REFERENCE.matcher(code).results().toList()) {
                var to = room(match.group(1).substring(1));
                if (to.equals(from) || (file.equals(REGISTRY) && to.startsWith("backend."))) continue;
                arrows.add(List.of(from, to));
                if (!SEES.get(from).contains(to)) {
                    if (blamed.add(to)) found.add(file + " looks up at " + to + "; " + from + " sees only " + list(SEES.get(from)));
                } else
                    if (to.equals("explain") && READERS.contains(from) && !isRecord(sources.get("explain/" + match.group(2) + ".java"))) {
                        found.add(file + " looks at explain." + match.group(2) + ", which is no record");
                    }
            }
        }
        for (var arrow : arrows) {
            var back = arrow.reversed();
            if (arrow.getFirst().compareTo(arrow.getLast()) < 0 && arrows.contains(back) && allowed(arrow) && allowed(back)) {
                found.add(arrow.getFirst() + " and " + arrow.getLast() + " look at each other");
            }
        }
        return found;
    }

    /// The room of a package: its first name, except that each device is a room of its own.
    private static String room(String name) {
        var parts = name.split("\\.", -1);
        return parts.length > 1 && parts[0].equals("backend") ? "backend." + parts[1] : parts[0];
    }

    private static boolean allowed(List<String> arrow) {
        return SEES.get(arrow.getFirst()).contains(arrow.getLast());
    }

    private static boolean isRecord(String source) {
        return source != null && Pattern.compile("^public (record|enum|sealed interface) ", Pattern.MULTILINE).matcher(source).find();
    }

    private static String list(Set<String> rooms) {
        return rooms.isEmpty() ? "the JDK" : String.join(", ", rooms.stream().sorted().toList());
    }
}
