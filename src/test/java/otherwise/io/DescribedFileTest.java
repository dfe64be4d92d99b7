package otherwise.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DescribedFileTest {
    @TempDir
    Path folder;

    @BeforeEach
    void write() throws IOException {
        new SafetensorsWriter().add("w", "F32", new long[] {2}, new float[] {1, 2}).write(folder.resolve("a.safetensors"));
        new SafetensorsWriter().add("w", "F32", new long[] {1}, new float[] {3}).write(folder.resolve("b.safetensors"));
    }

    private Path described(String json) throws IOException {
        return Files.writeString(folder.resolve("model.json"), json);
    }

    @Test
    void filesAppearAsOne() throws IOException {
        var path = described("""
                {"kind": "some", "config": {"dim": 3}, "shift": 2.5, "tensors": {"x.": "a.safetensors", "": "b.safetensors"}}""");
        try (var file = TensorFile.open(path)) {
            assertEquals("some", file.metadata().get("kind"));
            assertEquals("{\"dim\":3}", file.metadata().get("config"));
            assertEquals("2.5", file.metadata().get("shift"));
            assertEquals(List.of("x.w", "w"), file.names());
            assertArrayEquals(new float[] {1, 2}, file.floats("x.w"));
            assertEquals("x.w", file.entry("x.w").name());
            assertArrayEquals(new float[] {3}, file.floats("w"));
        }
        assertEquals(List.of(path, folder.resolve("a.safetensors"), folder.resolve("b.safetensors")), DescribedFile.behind(path));
        assertEquals(List.of(folder.resolve("a.safetensors")), DescribedFile.behind(folder.resolve("a.safetensors")));
    }

    @Test
    void whatIsWrongIsOneLine() throws IOException {
        assertWrong("{\"tensors\": {\"\": \"absent.safetensors\"}}", "absent.safetensors: no such file");
        assertWrong("{\"tensors\": {\"\": \"a.safetensors\", \"x\": \"a.safetensors\", \"xw\": \"b.safetensors\"", "not sound JSON");
        assertWrong("{\"tensors\": {\"x.\": \"a.safetensors\", \"\": \"model.json\"}}", "model.json\" is a description itself");
        // Two names that come out the same.
        new SafetensorsWriter().add("x.w", "F32", new long[] {1}, new float[1]).write(folder.resolve("e.safetensors"));
        assertWrong("{\"tensors\": {\"x.\": \"a.safetensors\", \"\": \"e.safetensors\"}}", "two files have a tensor \"x.w\"");
        assertWrong("{\"weights\": {}}", "it has no object weight_map");
    }

    private void assertWrong(String json, String message) throws IOException {
        var path = described(json);
        var found = assertThrows(IOException.class, () -> TensorFile.open(path)).getMessage();
        assertTrue(found.contains(message), found);
        assertEquals(1, found.lines().count());
    }
}
