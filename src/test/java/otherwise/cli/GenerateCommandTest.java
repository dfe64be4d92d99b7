package otherwise.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
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
        assertEquals(Otherwise.DONE, Otherwise.run("prompt", "--encoder", model.resolve("umt5.safetensors").toString(), "--tokenizer",
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
        assertEquals(5, VideoFile.read(folder.resolve("out0/000.mp4")).frames());
    }

    /// What a command that goes well prints.
    private static String printed(String... command) {
        var printed = new ByteArrayOutputStream();
        var before = System.out;
        System.setOut(new PrintStream(printed, true, UTF_8));
        try {
            assertEquals(Otherwise.DONE, Otherwise.run(command));
        } finally {
            System.setOut(before);
        }
        return printed.toString(UTF_8);
    }
}
