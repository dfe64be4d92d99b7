package otherwise.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import otherwise.data.Preset;
import otherwise.data.ShapeMoving;
import otherwise.data.ShapeMoving.Split;
import otherwise.explain.VideoFormat;
import otherwise.io.Video;
import otherwise.io.VideoFile;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/// Where the video comes from: a file, a folder of pictures, or a held-out clip of the data set.
final class VideoOptions {
    @ArgGroup(exclusive = true, multiplicity = "1")
    private Source source;

    @Option(names = "--fps", defaultValue = "16", paramLabel = "RATE",
            description = "Frames a second of a folder of pictures (default: ${DEFAULT-VALUE}).")
    private double fps;

    @Option(names = "--data-seed", defaultValue = "1", paramLabel = "N",
            description = "Seed of the set that --sample draws from (default: ${DEFAULT-VALUE}).")
    private long dataSeed;

    private static final class Source {
        @Option(names = "--video", paramLabel = "FILE", description = "Any video that ffmpeg reads.")
        private Path video;

        @Option(names = "--images", paramLabel = "DIR", description = "A folder of pictures, in the order of their names.")
        private Path images;

        @Option(names = "--sample", paramLabel = "I", description = "The I-th held-out Shape-Moving clip, from 0.")
        private Long sample;
    }

    /// A video as the models take it, and what was done to it.
    ///
    /// @param name what to call it in a report
    record Clip(String name, Video video, String note) {}

    Clip clip(VideoFormat format) throws IOException {
        if (source.sample != null) {
            if (source.sample < 0) throw new IllegalArgumentException("--sample " + source.sample + ": from 0 on");
            return sample(dataSeed, source.sample);
        }
        if (source.video != null && !Files.exists(source.video)) throw new IllegalArgumentException(source.video + ": no such file");
        var whole = source.video != null ? VideoFile.read(source.video) : VideoFile.readFolder(source.images, fps);
        var name = (source.video != null ? source.video : source.images).getFileName().toString();
        var prepared = whole.prepare(format.frames(), format.height(), format.width(), format.fps());
        return new Clip(name, prepared.video(), prepared.note());
    }

    static Clip sample(long seed, long i) {
        var data = new ShapeMoving(Preset.mini());
        long index = data.index(Split.TEST, i);
        return new Clip("shape-moving " + seed + "/" + index, data.scene(seed, index).render(), "");
    }
}
