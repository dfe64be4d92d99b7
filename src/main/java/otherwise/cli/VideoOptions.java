package otherwise.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import otherwise.data.Preset;
import otherwise.data.Scene;
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
        if (source.sample != null) return sample(dataSeed, source.sample, format);
        if (source.video != null && Files.isDirectory(source.video)) {
            throw new IllegalArgumentException(source.video + ": is a folder; --images takes a folder of pictures");
        }
        var whole = source.video != null ? VideoFile.read(source.video) : VideoFile.readFolder(source.images, fps);
        var path = source.video != null ? source.video : source.images;
        if (whole.frames() < 2) throw new IllegalArgumentException(path + ": has 1 frame; a video has at least 2");
        return prepared(path.getFileName().toString(), whole, format);
    }

    private static Clip prepared(String name, Video whole, VideoFormat format) {
        var prepared = whole.prepare(format.frames(), format.height(), format.width(), format.fps());
        return new Clip(name, prepared.video(), prepared.note());
    }

    /// What the `i`-th held-out clip of the data set shows.
    static Scene scene(long seed, long i) {
        if (i < 0) throw new IllegalArgumentException("--sample " + i + ": from 0 on");
        var data = new ShapeMoving(Preset.mini());
        return data.scene(seed, data.index(Split.TEST, i));
    }

    /// The `i`-th held-out clip of the data set, as it is for models that were made for it.
    static Clip sample(long seed, long i, VideoFormat format) {
        var video = scene(seed, i).render();
        var name = "shape-moving " + seed + "/" + new ShapeMoving(Preset.mini()).index(Split.TEST, i);
        return format.equals(Train.format(Preset.mini())) ? new Clip(name, video, "") : prepared(name, video, format);
    }
}
