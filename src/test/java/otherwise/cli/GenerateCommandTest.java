package otherwise.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.backend.Backends;
import otherwise.explain.TinyModels;
import otherwise.explain.TinyWan;
import otherwise.io.Video;
import otherwise.io.VideoFile;

/// `otherwise generate` on random networks of a few numbers.
class GenerateCommandTest {
    private static final Pattern WAN_MEMORY = Pattern.compile("1 video in .*; ([\\d.]+) MiB of memory at most, ([\\d.]+) MiB planned\n");
    private static final Pattern MEMORY = Pattern.compile("2 videos in .*, (.*) of memory at most, (.*) planned\n");

    @Test
    void videosTakeTheMemoryThatWasPlanned(@TempDir Path folder) throws IOException {
        try (var backend = Backends.open("cpu", 1)) {
            TinyModels.write(folder, backend);
        }
        var clip = folder.resolve("clip.mkv");
        VideoFile.writeLossless(clip, new Video(3, 40, 48, 16, new byte[3 * 40 * 48 * 3]));
        var line =
                MEMORY.matcher(printed("generate", "--models", folder.toString(), "--threads", "1", "--video", clip.toString(), "--count",
                        "2", "--steps", "3", "--solver", "unipc", "--out", folder.resolve("out").toString()));
        assertTrue(line.find());
        assertEquals(line.group(2), line.group(1));
    }

    /// One line says what is wrong, before anything else is said, and nothing is left of it.
    @Test
    void whatCannotBeMadeIsRefusedInOneLine(@TempDir Path folder) throws IOException {
        try (var backend = Backends.open("cpu", 1)) {
            TinyModels.write(folder, backend);
        }
        var text = Files.writeString(folder.resolve("text.mp4"), "hello").toString();
        var out = folder.resolve("out");
        refused("no.png: no such file", folder, out, "--image", folder.resolve("no.png").toString());
        refused("text.mp4: not a video that ffmpeg can read", folder, out, "--image", text);
        refused("text.mp4: not a video that ffmpeg can read", folder, out, "--video", text);
        refused(": is a folder, not a file with a first frame", folder, out, "--image", folder.toString());
        refused(": is a folder, not a file with a first frame", folder, out, "--video", folder.toString());
        refused("--sample -1: from 0 on", folder, out, "--sample", "-1");
        refused("no solver 'heun'", folder, out, "--sample", "0", "--solver", "heun");
        refused("text.mp4: is a file, not a folder", folder, Path.of(text), "--sample", "0");
        assertFalse(Files.exists(out));
    }

    private static void refused(String why, Path models, Path out, String... more) {
        var printed = new ByteArrayOutputStream();
        var before = System.err;
        System.setErr(new PrintStream(printed, true, UTF_8));
        try {
            var args = Stream.concat(Stream.of("generate", "--models", models.toString(), "--threads", "1", "--out", out.toString()),
                    Stream.of(more));
            assertEquals(ExitCode.WRONG_INPUT, Otherwise.run(args.toArray(String[]::new)), why);
        } finally {
            System.setErr(before);
        }
        var said = printed.toString(UTF_8);
        assertTrue(said.startsWith("otherwise: ") && said.contains(why) && said.lines().count() == 1, said);
    }

    /// From a prompt, which the folder's own encoder reads, and from one that `otherwise prompt` has encoded: the same video.
    @Test
    void wanFromAPromptAndFromItsContext(@TempDir Path folder) throws IOException {
        var model = folder.resolve("model");
        try (var backend = Backends.open("cpu", 1); var _ = backend.scope()) {
            TinyWan.of(backend).write(model);
            TinyWan.writeText(model, backend);
        }
        var clip = folder.resolve("clip.mkv");
        VideoFile.writeLossless(clip, new Video(1, 40, 48, 16, new byte[40 * 48 * 3]));
        var common = List.of("generate", "--wan", model.toString(), "--threads", "1", "--video", clip.toString(), "--frames", "5", "--size",
                "32x48", "--steps", "2", "--guidance", "2", "--negative", "a longer text about a dog that barks");
        var context = folder.resolve("context.safetensors");
        assertEquals(ExitCode.DONE, Otherwise.run("prompt", "--encoder", model.resolve("umt5.safetensors").toString(), "--tokenizer",
                model.resolve("tokenizer.json").toString(), "--threads", "1", "--out", context.toString(), "a", "red", "ball"));
        var videos = new ArrayList<byte[]>();
        for (var text : List.of(List.of("--prompt", "a red ball"), List.of("--context", context.toString()))) {
            var out = folder.resolve("out" + videos.size());
            var all = Stream.of(common, text, List.of("--out", out.toString())).flatMap(List::stream).toArray(String[]::new);
            var line = WAN_MEMORY.matcher(printed(all));
            assertTrue(line.find());
            assertEquals(Double.parseDouble(line.group(2)), Double.parseDouble(line.group(1)), 0.05 * Double.parseDouble(line.group(2)));
            videos.add(Files.readAllBytes(out.resolve("000.mp4")));
        }
        assertArrayEquals(videos.get(0), videos.get(1));
        var again = Stream.of(common, List.of("--context", context.toString(), "--out", folder.resolve("out0").toString()))
                .flatMap(List::stream).toArray(String[]::new);
        assertEquals(ExitCode.WRONG_INPUT, Otherwise.run(again), "videos are not written over");
        assertEquals(5, VideoFile.read(folder.resolve("out0/000.mp4")).frames());
    }

    /// What a command that goes well prints.
    private static String printed(String... command) {
        var printed = new ByteArrayOutputStream();
        var before = System.out;
        System.setOut(new PrintStream(printed, true, UTF_8));
        try {
            assertEquals(ExitCode.DONE, Otherwise.run(command));
        } finally {
            System.setOut(before);
        }
        return printed.toString(UTF_8);
    }
}
