package otherwise.data;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.io.VideoFile;

/// A clip written as mp4 and read again still shows one object that moves its way: what we write, we can explain.
class Mp4KeepsTheObjectTest {
    private static final int CLIPS = 60;

    @TempDir
    private Path folder;

    @Test
    void theTrackerAcceptsWhatComesBack() throws IOException {
        var data = new ShapeMoving(Preset.mini());
        var rejected = new ArrayList<Integer>();
        for (int i = 0; i < CLIPS; i++) {
            var scene = data.scene(9, i);
            var file = folder.resolve("clip.mp4");
            VideoFile.write(file, scene.render());
            var track = Tracker.track(VideoFile.read(file));
            if (!track.moves(scene.label()) || !track.keptObject()) rejected.add(i);
        }
        assertEquals(0, rejected.size(), "rejected clips: " + rejected);
    }
}
