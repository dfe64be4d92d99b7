package otherwise.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShardedWriterTest {
    private static final Path NESTED = Path.of("src/test/resources/goldens/pth/nested.pth");

    @TempDir
    private Path folder;

    /// Past the size, several files and an index, which together hold what one file would.
    @Test
    void oneFileOrManyHoldTheSame() throws IOException {
        try (var from = TensorFile.open(NESTED)) {
            var seen = new AtomicLong();
            var whole = new ShardedWriter(from, null, 1 << 20).write(folder.resolve("a.safetensors"), seen::set);
            assertEquals(folder.resolve("a.safetensors"), whole);
            assertEquals(new ShardedWriter(from, null, 1).bytes(), seen.get());
            var index = new ShardedWriter(from, null, 40).write(folder.resolve("b.safetensors"), bytes -> {});
            assertEquals(folder.resolve("b.safetensors.index.json"), index);
            for (var path : new Path[] {whole, index}) {
                try (var copy = TensorFile.open(path)) {
                    assertEquals(new HashSet<>(from.names()), new HashSet<>(copy.names()));
                    for (var name : from.names()) {
                        assertArrayEquals(from.entry(name).shape(), copy.entry(name).shape());
                        assertArrayEquals(
                                from.segment(name).toArray(ValueLayout.JAVA_BYTE), copy.segment(name).toArray(ValueLayout.JAVA_BYTE), name);
                    }
                }
            }
            try (var files = Files.list(folder)) {
                assertTrue(files.count() > 4);
            }
        }
    }

    /// Fractions are rounded; counters stay whole numbers.
    @Test
    void fractionsAreRounded() throws IOException {
        try (var from = TensorFile.open(NESTED)) {
            var path = new ShardedWriter(from, "BF16", 1 << 20).write(folder.resolve("c.safetensors"), bytes -> {});
            try (var copy = TensorFile.open(path)) {
                assertEquals("I64", copy.entry("state_dict.bn.num_batches_tracked").dtype());
                var name = "state_dict.conv.weight";
                assertEquals("BF16", copy.entry(name).dtype());
                assertArrayEquals(from.floats(name), copy.floats(name), 0.01f);
            }
            assertThrows(IllegalArgumentException.class, () -> new ShardedWriter(from, "I8", 10));
            assertThrows(IllegalArgumentException.class,
                    () -> new ShardedWriter(from, null, 10).write(folder.resolve("d.bin"), bytes -> {}));
        }
    }
}
