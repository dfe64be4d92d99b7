package otherwise.cli.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import otherwise.cli.Bar;
import otherwise.io.ShardedWriter;
import otherwise.io.TensorFile;
import picocli.CommandLine.Option;

/// How a checkpoint is written.
final class ResultFile {
    @Option(names = "--dtype", paramLabel = "TYPE", description = "Round fractions to f32, bf16 or f16 (default: as they are).")
    private String dtype;

    @Option(names = "--shard", defaultValue = "5", paramLabel = "GB",
            description = "Above this size, write several files and an index (default: ${DEFAULT-VALUE}).")
    private double shard;

    @Option(names = "--force", description = "Replace OUT if it exists.")
    private boolean force;

    /// @throws IllegalArgumentException if there is such a file already, and it is not to be replaced
    void requireFree(Path out) {
        for (var path : new Path[] {out, out.resolveSibling(out.getFileName() + ".index.json")}) {
            if (Files.exists(path) && !force) throw new IllegalArgumentException(path + ": exists already; --force replaces it");
        }
    }

    /// Writes all tensors, with a bar, and says what was written.
    void write(TensorFile file, Path out) throws IOException {
        var writer = new ShardedWriter(file, dtype == null ? null : dtype.toUpperCase(Locale.ROOT), (long) (shard * 1e9));
        Path result;
        try (var bar = Bar.of("bytes", writer.bytes())) {
            result = writer.write(out, bar::stepTo);
        }
        System.out.printf(Locale.ROOT, "%s: %d tensors, %,d bytes%n", result, writer.tensors(), writer.bytes());
    }
}
