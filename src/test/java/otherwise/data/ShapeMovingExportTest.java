package otherwise.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShapeMovingExportTest {
    private static final ShapeMoving MINI = new ShapeMoving(Preset.mini());

    @TempDir
    private Path folder;

    @Test
    void everyClipHasAFileAndARow() throws IOException {
        var calls = new AtomicInteger();
        long written = new ShapeMovingExport(MINI, 7, 10)
                .write(folder, (file, video) -> Files.write(file, video.rgb()), (done, total) -> {
                    assertEquals(10, total);
                    assertEquals(calls.incrementAndGet(), done);
                });
        assertEquals(10, written);
        assertEquals(10, calls.get());
        var rows = Files.readAllLines(folder.resolve("labels.csv"));
        assertEquals("id,file,split,class,shape,color,size,background,x0,y0,x1,y1,seed", rows.getFirst());
        assertEquals(11, rows.size());
        for (int i = 0; i < 10; i++) {
            String[] cells = rows.get(i + 1).split(",", -1);
            var clip = MINI.clip(7, i);
            assertEquals(13, cells.length);
            assertEquals(i % 5 == 4 ? "test" : "train", cells[2]);
            assertEquals(ShapeMoving.CLASSES.get(clip.label()), cells[3]);
            assertEquals("%s/%s/%06d.mp4".formatted(cells[2], cells[3], i), cells[1]);
            assertEquals(clip.scene().x(16), Double.parseDouble(cells[10]), 6e-4);
            assertArrayEquals(clip.video().rgb(), Files.readAllBytes(folder.resolve(cells[1])));
        }
    }

    @Test
    void aStoppedExportGoesOnAndLeavesNoHalfFile() throws IOException {
        var left = new AtomicInteger(6);
        var export = new ShapeMovingExport(MINI, 7, 20);
        assertThrows(IOException.class, () -> export.write(
                folder,
                (file, video) -> {
                    Files.write(file, new byte[] {1});
                    if (left.decrementAndGet() < 0) throw new IOException("disk full");
                },
                (done, total) -> {}));
        assertFalse(Files.exists(folder.resolve("labels.csv")));
        long there = videos();
        assertEquals(6, there);
        assertEquals(20 - there, export.write(folder, (file, video) -> Files.write(file, video.rgb()), (done, total) -> {}));
        assertEquals(20, videos());
    }

    @Test
    void anotherSetDoesNotMixIn() throws IOException {
        new ShapeMovingExport(MINI, 7, 2).write(folder, (file, video) -> Files.write(file, video.rgb()), (done, total) -> {});
        var other = new ShapeMovingExport(MINI, 8, 2);
        var refused = assertThrows(
                IOException.class, () -> other.write(folder, (file, video) -> Files.write(file, video.rgb()), (done, total) -> {}));
        assertTrue(refused.getMessage().contains("seed 7"), refused.getMessage());
    }

    private long videos() throws IOException {
        try (var files = Files.walk(folder)) {
            return files.filter(f -> f.toString().endsWith(".mp4")).count();
        }
    }
}
