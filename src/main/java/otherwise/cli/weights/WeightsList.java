package otherwise.cli.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.util.Locale;
import java.util.concurrent.Callable;
import otherwise.cli.ExitCode;
import otherwise.cli.weights.Catalogue.Checkpoint;
import otherwise.report.Table;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/// `otherwise weights list`
@Command(
        name = "list",
        description = {
            "The public checkpoints that we know of: what they are, how large, under which licence,", "and whether they are here already."},
        mixinStandardHelpOptions = true,
        footer = {"", "Example:", "  otherwise weights list"})
final class WeightsList implements Callable<Integer> {
    @Mixin
    private CatalogueOptions options;

    @Override
    public Integer call() throws IOException {
        var table = Table.of("name", "what", "names", "size", "licence", "here");
        for (var checkpoint : options.read().checkpoints()) {
            table.row(checkpoint.name(), checkpoint.what(), checkpoint.names(), size(checkpoint.size()), checkpoint.licence(),
                    here(checkpoint));
        }
        System.out.print(table.text());
        return ExitCode.DONE;
    }

    static String size(long bytes) {
        if (bytes < 0) return "?";
        return bytes < 1_000_000_000
                ? String.format(Locale.ROOT, "%.0f MB", Math.ceil(bytes / 1e6))
                : String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
    }

    /// `yes`, `no`, or how much of it is there.
    private String here(Checkpoint checkpoint) throws IOException {
        int whole = 0;
        long bytes = 0;
        var downloads = checkpoint.downloads(options.folder());
        for (var download : downloads) {
            boolean there = Files.exists(download.to());
            if (there) whole++;
            bytes += there ? Files.size(download.to()) : download.partSize();
        }
        if (whole == downloads.size()) return "yes";
        if (bytes == 0) return "no";
        return checkpoint.size() > 0 ? String.format(Locale.ROOT, "%.0f %%", 100.0 * bytes / checkpoint.size()) : size(bytes);
    }
}
