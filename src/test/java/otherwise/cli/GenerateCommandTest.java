package otherwise.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.backend.Backends;
import otherwise.explain.TinyModels;
import otherwise.io.Video;
import otherwise.io.VideoFile;

/// `otherwise generate` on random networks of a few numbers.
class GenerateCommandTest {
    private static final Pattern MEMORY = Pattern.compile("2 videos in .*, (.*) of memory at most, (.*) planned\n");

    @Test
    void videosTakeTheMemoryThatWasPlanned(@TempDir Path folder) throws IOException {
        try (var backend = Backends.open("cpu", 1)) {
            TinyModels.write(folder, backend);
        }
        var clip = folder.resolve("clip.mkv");
        VideoFile.writeLossless(clip, new Video(3, 40, 48, 16, new byte[3 * 40 * 48 * 3]));
        var printed = new ByteArrayOutputStream();
        var before = System.out;
        System.setOut(new PrintStream(printed, true, UTF_8));
        try {
            assertEquals(Otherwise.DONE, Otherwise.run("generate", "--models", folder.toString(), "--threads", "1", "--video",
                    clip.toString(), "--count", "2", "--steps", "3", "--solver", "unipc", "--out", folder.resolve("out").toString()));
        } finally {
            System.setOut(before);
        }
        var line = MEMORY.matcher(printed.toString(UTF_8));
        assertTrue(line.find(), printed.toString(UTF_8));
        assertEquals(line.group(2), line.group(1));
    }
}
