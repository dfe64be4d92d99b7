package otherwise.cli.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import otherwise.backend.Backends;
import otherwise.cli.ExitCode;
import otherwise.cli.Otherwise;
import otherwise.cli.bench.Cases.Suite;
import otherwise.explain.ModelFiles;

class BenchTest {
    @Test
    void everyCaseHasItsInputs() throws IOException {
        var files = new ModelFiles(Path.of("weights", "shape-moving-mini"));
        for (var suite : Suite.values()) {
            for (var name : Cases.names(suite)) {
                var c = Cases.named(name, files);
                assertEquals(name, c.name());
                assertTrue(c.inputs().stream().map(Array::name).distinct().count() == c.inputs().size(), name);
            }
        }
        var wrong = assertThrows(IllegalArgumentException.class, () -> Cases.named("matmul", files));
        assertTrue(wrong.getMessage().startsWith("no case 'matmul'; there are: matmul-1536"), wrong.getMessage());
    }

    @Test
    void inputsDependOnTheirNameAloneAndAreTheSameOnADevice() {
        var a = Array.normal("a", 2, 3, 4);
        assertEquals(List.of(12, 3L, 4L), List.of(a.values().length, a.dims()[0], a.dims()[1]));
        assertEquals(0, Measurement.difference(a.values(), Array.normal("a", 2, 12).values()));
        assertTrue(Measurement.difference(a.values(), Array.normal("b", 2, 12).values()) > 0.1);
        try (var device = Backends.open("cpu", 1); var _ = device.scope()) {
            for (var array : List.of(a, a.around(1), new Array.Given("given", new float[] {1, 2}, 2)))
                assertArrayEquals(array.values(), array.on(device).floats());
        }
    }

    /// What the decoder's layers compute twice and once, against the formula of one of its convolutions and what is far from all.
    @Test
    void theDecodersOperationsAreCounted() throws IOException {
        var c = Cases.named("vae-decode", new ModelFiles(Path.of("nowhere")));
        double last = 3 * 2.0 * 33 * 512 * 512 * 96 * 3 * 27;
        assertTrue(c.flops() > 100 * last && c.flops() < 3e14, () -> "operations: " + c.flops());
    }

    @Test
    void theMedianIsTheMiddleAndTheDifferenceRelative() {
        assertEquals(2, Measurement.median(new double[] {9, 1, 2}));
        assertEquals(3, Measurement.median(new double[] {9, 1, 2, 4}));
        assertEquals(0.25, Measurement.difference(new float[] {1, 5}, new float[] {1, 4}), 1e-12);
        assertEquals(Double.POSITIVE_INFINITY, Measurement.difference(new float[] {Float.NaN}, new float[] {4}));
    }

    @Test
    void aCaseRunsFromTheCommandLine() {
        assertEquals(ExitCode.DONE, Otherwise.run("bench", "--case", "softmax", "--rounds", "1", "--warm", "0"));
        assertEquals(ExitCode.WRONG_INPUT, Otherwise.run("bench", "--case", "nothing"));
        assertEquals(ExitCode.WRONG_INPUT, Otherwise.run("bench", "--rounds", "0"));
        assertEquals(ExitCode.WRONG_INPUT, Otherwise.run("bench", "--case", "softmax", "--peers"));
    }

    /// What computes nothing: no speed is told, and nobody to compare with.
    @Test
    void theHostIsMeasuredByItself(@TempDir Path folder) throws IOException {
        var out = folder.resolve("host.md");
        assertEquals(ExitCode.DONE,
                Otherwise.run("bench", "--case", "softmax", "--host", "--rounds", "1", "--warm", "0", "--out", out.toString()));
        assertTrue(Files.readString(out).startsWith("| case    | what"), "the heads come first");
        assertTrue(Files.readString(out).lines().findFirst().orElseThrow().endsWith("| host ms | calls | peak MiB |"));
        assertEquals(ExitCode.WRONG_INPUT, Otherwise.run("bench", "--case", "softmax", "--host", "--peers"));
        assertEquals(ExitCode.WRONG_INPUT, Otherwise.run("bench", "--case", "softmax", "--graphs"), "not a network");
        assertEquals(ExitCode.WRONG_INPUT, Otherwise.run("bench", "--case", "bttf", "--graphs"), "cpu has none");
    }

    /// All kinds of work of the GPU's cases, in a table with what another program measured.
    @Test
    @EnabledIf("otherwise.support.Emulated#present")
    void theCasesOfTheGpuRunTiny(@TempDir Path folder) throws IOException {
        var peer = folder.resolve("peer.json");
        var out = folder.resolve("out.md");
        Files.writeString(peer, """
                {"name": "PyTorch 9", "flops": 1e12, "bytes": 1e11,
                 "cases": {"tiny-matmul": {"seconds": 1000, "peak": 1048576}, "tiny-gelu": {"seconds": 0.001}, "tiny-attention": {}}}
                """);
        assertEquals(ExitCode.DONE, Otherwise.run(
                "bench", "--set", "tiny", "--device", "cuda-emulated:bf16", "--rounds", "1", "--warm", "0", "--beside", peer.toString(),
                "--out",
                out.toString()));
        var rows = Files.readAllLines(out).stream().map(line -> List.of(line.strip().split("\\s*\\|\\s*"))).toList();
        var heads = rows.getFirst();
        assertEquals(
                List.of("otherwise ms", "TFLOP/s", "peak MiB", "PyTorch 9 ms", "PyTorch 9 peak MiB", "speed / peer", "of the ceiling"),
                heads.subList(3, heads.size()));
        assertEquals(2 + Cases.names(Suite.TINY).size(), rows.size());
        for (var row : rows.subList(2, rows.size())) {
            var cells = row.subList(6, row.size());
            assertTrue(Double.parseDouble(row.get(3)) > 0 && Double.parseDouble(row.get(5)) >= 0, row.toString());
            switch (row.get(1)) {
                case "tiny-matmul" -> {
                    assertEquals(List.of("1000000.00", "1.0"), cells.subList(0, 2));
                    assertTrue(Double.parseDouble(cells.get(2)) > 1 && cells.get(3).endsWith(" %"), row.toString());
                }
                case "tiny-gelu" -> assertEquals(List.of("1.00", "–"), cells.subList(0, 2));
                default -> assertEquals(List.of("–", "–", "–"), cells.subList(0, 3));
            }
        }
    }

    @Test
    void aCaseIsToldByItsInputs(@TempDir Path folder) throws IOException {
        var list = folder.resolve("cases.json");
        assertEquals(ExitCode.DONE, Otherwise.run("bench", "--set", "gpu", "--list", list.toString()));
        var cases = new ObjectMapper().readTree(list.toFile()).path("cases");
        assertEquals(Cases.names(Suite.GPU), cases.findValuesAsText("name"));
        var block = cases.get(Cases.names(Suite.GPU).indexOf("wan-block-14b"));
        assertEquals("wan_block", block.path("kind").asText());
        assertEquals(40, block.path("numbers").path("heads").asInt());
        assertEquals("{\"mean\":0.0,\"deviation\":1.0,\"dims\":[1,9216,5120]}", block.path("inputs").path("x").toString());
        assertEquals(ExitCode.WRONG_INPUT, Otherwise.run("bench", "--case", "bttf", "--list", list.toString()));
        assertEquals(ExitCode.WRONG_INPUT, Otherwise.run("bench", "--case", "softmax", "--beside", list.toString()));
    }

    /// A device that has no room for one case goes on to the next.
    @Test
    void aCaseThatDoesNotFitIsARowWithoutFigures() throws IOException {
        var elsewhere = new Elsewhere("peer", Double.NaN, Double.NaN, Map.of("tiny-gelu", new Elsewhere.Figure(0.002, 1 << 20)));
        var figures = new Figures(List.of("otherwise"), Figures.Where.GPU, Optional.of(elsewhere));
        figures.addFailed(Cases.named("tiny-gelu", new ModelFiles(Path.of("nowhere"))), 2);
        var row = List.of(figures.table().markdown().lines().toList().getLast().strip().split("\\s*\\|\\s*"));
        assertEquals(List.of("–", "–", "–", "2.00", "1.0", "–", "–"), row.subList(3, row.size()));
    }
}
