package otherwise.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
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

        var out = folder.resolve("out");
        int verdict = explain(folder, out, "--video", clip.toString());
        assertTrue(verdict == ExitCode.DONE || verdict == ExitCode.NO, "ran: " + verdict);
        for (var name : List.of(
                "run.json", "state.safetensors", "latents.safetensors", "iterations.csv", "result.json", "original.mkv", "original.mp4",
                "counterfactual.mp4", "report.html")) {
            assertTrue(Files.size(out.resolve(name)) > 0, name);
        }
        assertEquals(ExitCode.WRONG_INPUT, explain(folder, out, "--video", clip.toString()), "a run is not overwritten");
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

    /// One line says what is wrong, before anything else is said; nothing is left of a question that could not be asked.
    @Test
    void whatCannotBeAskedIsRefusedInOneLine(@TempDir Path folder) throws IOException {
        try (var backend = Backends.open("cpu", 1)) {
            TinyModels.write(folder, backend);
        }
        var clip = folder.resolve("clip.mkv");
        VideoFile.writeLossless(clip, new Video(9, 40, 48, 16, new byte[9 * 40 * 48 * 3]));
        var single = folder.resolve("single.mkv");
        VideoFile.writeLossless(single, new Video(1, 40, 48, 16, new byte[40 * 48 * 3]));
        var text = Files.writeString(folder.resolve("text.mp4"), "hello");
        var cut = Files.write(folder.resolve("cut.mkv"), Arrays.copyOf(Files.readAllBytes(clip), (int) Files.size(clip) / 2));
        var out = folder.resolve("out");

        refused("no class 'sideways'; the classifier knows: up, down, left", folder, out, "--video", clip, "--target", "sideways");
        refused("no.mp4: no such file", folder, out, "--video", folder.resolve("no.mp4"));
        refused("text.mp4: not a video that ffmpeg can read", folder, out, "--video", text);
        refused("cut.mkv: ", folder, out, "--video", cut);
        refused("single.mkv: has 1 frame; a video has at least 2", folder, out, "--video", single);
        refused(": is a folder; --images takes a folder of pictures", folder, out, "--video", folder);
        refused("text.mp4: is not a folder", folder, out, "--images", text);
        refused("--sample -1: from 0 on", folder, out, "--sample", "-1");
        refused("steps must be at least 1, not 0", folder, out, "--video", clip, "--steps", "0");
        refused("--graphs is for the CUDA devices; cpu does nothing as a graph", folder, out, "--video", clip, "--graphs");
        refused("text.mp4: is a file, not a folder", folder, text, "--video", clip);
        refused("text.mp4 is a file", folder, text.resolve("out"), "--video", clip);
        refused("there is something in it already", folder, folder, "--video", clip);
        assertFalse(Files.exists(out), "a folder of a question that could not be asked");

        // Of all classes, the one that the classifier has named already.
        var said = new ArrayList<String>();
        for (var target : TinyModels.CLASSES) {
            var printed = new ByteArrayOutputStream();
            int code = explain(printed, folder, folder.resolve(target), "--video", clip, "--target", target, "--steps", "1");
            if (code == ExitCode.WRONG_INPUT) said.add(printed.toString(UTF_8));
        }
        assertEquals(1, said.size(), said.toString());
        assertTrue(said.getFirst().matches("otherwise: the classifier calls clip.mkv '[a-z]+' already; name another --target\n"),
                said.getFirst());
    }

    private static void refused(String why, Path models, Path out, Object... more) {
        var printed = new ByteArrayOutputStream();
        assertEquals(ExitCode.WRONG_INPUT, explain(printed, models, out, more), why);
        var said = printed.toString(UTF_8);
        assertTrue(said.startsWith("otherwise: ") && said.contains(why) && said.lines().count() == 1, said);
    }

    private static int explain(ByteArrayOutputStream printed, Path models, Path out, Object... more) {
        var before = System.err;
        System.setErr(new PrintStream(printed, true, UTF_8));
        try {
            return explain(models, out, Stream.of(more).map(Object::toString).toArray(String[]::new));
        } finally {
            System.setErr(before);
        }
    }

    /// The data set's clips are cut and scaled as a file's are, where the models make others.
    @Test
    void aClipOfTheDataSetFitsAnyModels(@TempDir Path folder) throws IOException {
        try (var backend = Backends.open("cpu", 1)) {
            TinyModels.write(folder, backend);
        }
        var out = folder.resolve("out");
        int verdict = explain(folder, out, "--sample", "3", "--steps", "1");
        assertTrue(verdict == ExitCode.DONE || verdict == ExitCode.NO, "ran: " + verdict);
        assertEquals(TinyModels.FORMAT.frames(), VideoFile.read(out.resolve("original.mkv")).frames());
    }

    private static int explain(Path models, Path out, String... more) {
        var args =
                new ArrayList<>(List.of("explain", "--models", models.toString(), "--threads", "1", "--out", out.toString(), "--k", "4"));
        if (!List.of(more).contains("--steps")) args.addAll(List.of("--steps", "2"));
        args.addAll(List.of(more));
        return Otherwise.run(args.toArray(String[]::new));
    }
}
