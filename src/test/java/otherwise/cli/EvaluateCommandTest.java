package otherwise.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `otherwise evaluate` on the models that ship: what it writes, and which outcomes it does not put beside each other.
class EvaluateCommandTest {

    @Test
    void outcomesOfOtherModelsOrRatesAreKeptApart(@TempDir Path folder) throws IOException {
        var out = folder.resolve("out");
        int verdict = evaluate(out);
        assertTrue(verdict == ExitCode.DONE || verdict == ExitCode.NO, "ran: " + verdict);
        var lines = out.resolve("straight-seed1.jsonl");
        var first = Files.readAllBytes(lines);
        assertEquals(1, Files.readAllLines(lines).size());
        for (var name : new String[] {"straight-seed1/clip-000.png", "table.md", "table.csv", "models.json"})
            assertTrue(Files.size(out.resolve(name)) > 0, name);

        assertEquals(verdict, evaluate(out), "nothing is run again");
        assertArrayEquals(first, Files.readAllBytes(lines));

        Files.writeString(lines, "null\n");
        assertEquals(ExitCode.WRONG_INPUT, evaluate(out));
        Files.writeString(out.resolve("models.json"), "{}");
        assertEquals(ExitCode.WRONG_INPUT, evaluate(out));
        Files.writeString(out.resolve("models.json"), "{");
        assertEquals(ExitCode.WRONG_INPUT, evaluate(out));
        assertEquals(ExitCode.WRONG_INPUT, evaluate(folder.resolve("none"), "--variant", "unknown"));
        assertFalse(Files.exists(folder.resolve("none")));
    }

    private static int evaluate(Path out, String... more) {
        var args = new ArrayList<>(List.of("evaluate", "--clips", "1", "--variant", "straight", "--out", out.toString()));
        args.addAll(List.of(more));
        return Otherwise.run(args.toArray(String[]::new));
    }
}
