package otherwise.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.backend.Backends;
import otherwise.explain.TinyModels;
import otherwise.io.Video;
import otherwise.io.VideoFile;

/// `otherwise explain` from the question to the folder, on random networks of a few numbers.
class ExplainCommandTest {

    @Test
    void aRunIsAFolderThatCanBeMadeAgainAndIsNeverOverwritten(@TempDir Path folder) throws IOException {
        try (var backend = Backends.open("cpu", 1)) {
            TinyModels.write(folder, backend);
        }
        var clip = folder.resolve("clip.mkv");
        var rgb = new byte[9 * 40 * 48 * 3];
        for (int i = 0; i < rgb.length; i++) rgb[i] = (byte) (i * 37 % 251 / 2 + i % 64);
        VideoFile.writeLossless(clip, new Video(9, 40, 48, 16, rgb));

        var refused = folder.resolve("refused");
        assertEquals(Otherwise.WRONG_INPUT, explain(folder, refused, "--video", clip.toString(), "--target", "sideways"));
        assertEquals(Otherwise.WRONG_INPUT, explain(folder, refused, "--video", folder.resolve("no.mp4").toString()));
        assertEquals(Otherwise.WRONG_INPUT, explain(folder, refused, "--video", clip.toString(), "--steps", "0"));
        assertEquals(Otherwise.WRONG_INPUT, explain(folder, refused, "--video", clip.toString(), "--graphs"), "cpu has none");
        assertFalse(Files.exists(refused), "nothing is left of a question that could not be asked");

        var out = folder.resolve("out");
        int verdict = explain(folder, out, "--video", clip.toString());
        assertTrue(verdict == Otherwise.DONE || verdict == Otherwise.NO, "ran: " + verdict);
        for (var name : List.of(
                "run.json", "state.safetensors", "latents.safetensors", "iterations.csv", "result.json", "original.mkv", "original.mp4",
                "counterfactual.mp4", "report.html")) {
            assertTrue(Files.size(out.resolve(name)) > 0, name);
        }
        assertEquals(Otherwise.WRONG_INPUT, explain(folder, out, "--video", clip.toString()), "a run is not overwritten");
        var memory = JsonMapper.builder().build().readTree(out.resolve("result.json").toFile()).get("bytes_of_memory");
        assertEquals(memory.get("planned").asLong(), memory.get("taken").asLong(), 0.05 * memory.get("planned").asLong(), "bytes");

        assertEquals(5, Files.readAllLines(out.resolve("iterations.csv")).size(), "a line for the names, and one for each iteration");

        // Another folder that knows no more than the question.
        var again = Files.createDirectory(folder.resolve("again"));
        for (var name : List.of("run.json", "original.mkv")) Files.copy(out.resolve(name), again.resolve(name));
        assertEquals(verdict, Otherwise.run("explain", "--resume", again.toString(), "--threads", "1"));
        for (var name : List.of("latents.safetensors", "counterfactual.mkv")) {
            assertArrayEquals(Files.readAllBytes(out.resolve(name)), Files.readAllBytes(again.resolve(name)), name);
        }
        // A finished run has only its results made again: no iteration is lost or counted twice.
        assertEquals(verdict, Otherwise.run("explain", "--resume", again.toString(), "--threads", "1"));
        assertEquals(5, Files.readAllLines(again.resolve("iterations.csv")).size());
    }

    private static int explain(Path models, Path out, String... more) {
        var args =
                new ArrayList<>(List.of("explain", "--models", models.toString(), "--threads", "1", "--out", out.toString(), "--k", "4"));
        if (!List.of(more).contains("--steps")) args.addAll(List.of("--steps", "2"));
        args.addAll(List.of(more));
        return Otherwise.run(args.toArray(String[]::new));
    }
}
