package otherwise.cli.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import otherwise.cli.Otherwise;
import otherwise.explain.ModelFiles;

class BenchTest {
    @Test
    void everyCaseHasItsInputs() throws IOException {
        var files = new ModelFiles(Path.of("weights", "shape-moving-mini"));
        for (var name : Cases.names()) {
            var c = Cases.named(name, files);
            assertEquals(name, c.name());
            assertTrue(c.inputs().stream().map(Array::name).distinct().count() == c.inputs().size(), name);
        }
        var wrong = assertThrows(IllegalArgumentException.class, () -> Cases.named("matmul", files));
        assertTrue(wrong.getMessage().startsWith("no case 'matmul'; there are: matmul-1536"), wrong.getMessage());
    }

    @Test
    void inputsDependOnTheirNameAlone() {
        var a = Array.normal("a", 2, 3, 4);
        assertEquals(List.of(12, 3L, 4L), List.of(a.values().length, a.dims()[0], a.dims()[1]));
        assertEquals(0, Measurement.difference(a.values(), Array.normal("a", 2, 12).values()));
        assertTrue(Measurement.difference(a.values(), Array.normal("b", 2, 12).values()) > 0.1);
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
        assertEquals(Otherwise.DONE, Otherwise.run("bench", "--case", "softmax", "--rounds", "1", "--warm", "0"));
        assertEquals(Otherwise.WRONG_INPUT, Otherwise.run("bench", "--case", "nothing"));
        assertEquals(Otherwise.WRONG_INPUT, Otherwise.run("bench", "--rounds", "0"));
        assertEquals(Otherwise.WRONG_INPUT, Otherwise.run("bench", "--case", "softmax", "--peers"));
    }
}
