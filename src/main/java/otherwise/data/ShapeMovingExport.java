package otherwise.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import otherwise.data.ShapeMoving.Split;
import otherwise.io.AtomicFile;
import otherwise.io.InvalidFileException;
import otherwise.io.Video;

/// Writes the first `count` clips of a Shape-Moving set as video files, `train|test/CLASS/000123.mp4`, and a table of what they show:
///
///     labels.csv   id,file,split,class,shape,color,size,background,x0,y0,x1,y1,seed
///
/// A stopped export goes on where it stopped: files appear whole or not at all, and those that are there are not written again. The file
/// `shape-moving.txt` says what the folder holds, so that two different sets never mix in one.
public record ShapeMovingExport(ShapeMoving data, long seed, long count) {
    private static final String MARK = "shape-moving.txt";

    /// Told after every clip.
    @FunctionalInterface
    public interface Progress {
        void at(long done, long total);
    }

    /// Encodes one video; `VideoFile::write` is one.
    @FunctionalInterface
    public interface Encoder {
        void write(Path file, Video video) throws IOException;
    }

    /// @throws IllegalArgumentException if `count` is not positive
    public ShapeMovingExport {
        if (count < 1) throw new IllegalArgumentException("an export of " + count + " clips: at least 1");
    }

    /// Writes what is missing in `folder`, clips in parallel; `encoder` writes one video into a file that ends in `.mp4`, and must
    /// allow calls from several threads. The table comes last, so a folder that has one is complete.
    ///
    /// @return how many clips were written, the rest having been there
    /// @throws IOException if the folder holds another set, or something cannot be written
    public long write(Path folder, Encoder encoder, Progress progress) throws IOException {
        for (Split split : Split.values()) {
            for (String name : ShapeMoving.CLASSES) Files.createDirectories(folder.resolve(nameOf(split)).resolve(name));
        }
        claim(folder);
        var work = new Work(this, folder, encoder, progress);
        // Closing waits for every worker, so nothing is being written any more when this returns or throws.
        try (var workers = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors())) {
            for (int i = 0; i < Runtime.getRuntime().availableProcessors(); i++) workers.execute(work);
        }
        work.requireDone();
        AtomicFile.write(folder.resolve("labels.csv"), table());
        return work.written.get();
    }

    /// What the workers share: each takes the next clip until there is none or one of them has failed.
    private static final class Work implements Runnable {
        private final ShapeMovingExport export;
        private final Path folder;
        private final Encoder encoder;
        private final Progress progress;
        private final AtomicLong next = new AtomicLong();
        private final AtomicLong written = new AtomicLong();
        private final AtomicReference<Exception> failure = new AtomicReference<>();
        private long done;

        Work(ShapeMovingExport export, Path folder, Encoder encoder, Progress progress) {
            this.export = export;
            this.folder = folder;
            this.encoder = encoder;
            this.progress = progress;
        }

        @Override
        public void run() {
            try {
                for (long i = next.getAndIncrement(); i < export.count && failure.get() == null; i = next.getAndIncrement()) write(i);
            } catch (IOException | RuntimeException e) {
                failure.compareAndSet(null, e);
            }
        }

        private void write(long index) throws IOException {
            Scene scene = export.data.scene(export.seed, index);
            Path file = folder.resolve(export.file(index, scene));
            if (!Files.exists(file)) {
                AtomicFile.writeFile(file, part -> encoder.write(part, scene.render()));
                written.incrementAndGet();
            }
            report();
        }

        private synchronized void report() {
            progress.at(++done, export.count);
        }

        private synchronized void requireDone() throws IOException {
            switch (failure.get()) {
                case IOException e -> throw e;
                case RuntimeException e -> throw e;
                case null, default -> {
                    if (done < export.count) throw new IOException("interrupted after " + done + " of " + export.count + " clips");
                }
            }
        }
    }

    /// Marks an empty folder as ours and refuses one that is marked for another set. A different `count` is no other set.
    private void claim(Path folder) throws IOException {
        String ours = "shape-moving 1 preset %s seed %d variety %s\n".formatted(data.preset().name(), seed, data.variety());
        Path mark = folder.resolve(MARK);
        if (!Files.exists(mark)) {
            AtomicFile.write(mark, ours);
            return;
        }
        String theirs = Files.readString(mark);
        if (!theirs.equals(ours)) {
            throw new InvalidFileException(mark, "the folder holds '" + theirs.strip() + "', not '" + ours.strip() + "'");
        }
    }

    private String table() {
        var rows = new StringBuilder("id,file,split,class,shape,color,size,background,x0,y0,x1,y1,seed\n");
        for (long index = 0; index < count; index++) {
            Scene s = data.scene(seed, index);
            int last = s.frames() - 1;
            rows.append(String.format(
                    Locale.ROOT,
                    "%d,%s,%s,%s,%s,%s,%.3f,%s,%.3f,%.3f,%.3f,%.3f,%d\n",
                    index,
                    file(index, s),
                    nameOf(data.split(index)),
                    ShapeMoving.CLASSES.get(s.label()),
                    s.shape().name().toLowerCase(Locale.ROOT),
                    s.color(),
                    s.size(),
                    s.background().kind().name().toLowerCase(Locale.ROOT),
                    s.x0(),
                    s.y0(),
                    s.x(last),
                    s.y(last),
                    seed));
        }
        return rows.toString();
    }

    private String file(long index, Scene scene) {
        return "%s/%s/%06d.mp4".formatted(nameOf(data.split(index)), ShapeMoving.CLASSES.get(scene.label()), index);
    }

    private static String nameOf(Split split) {
        return split.name().toLowerCase(Locale.ROOT);
    }
}
