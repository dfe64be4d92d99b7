package otherwise.cli.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.util.Locale;
import java.util.concurrent.Callable;
import otherwise.cli.Bar;
import otherwise.cli.ExitCode;
import otherwise.io.Download;
import otherwise.io.FolderLock;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/// `otherwise weights get`
@Command(
        name = "get",
        description = {
            "Fetch a public checkpoint. Size and sha256 are verified where the catalogue knows them;",
            "what was interrupted goes on at the next call."
        },
        mixinStandardHelpOptions = true,
        footer = {"", "Example:", "  otherwise weights get swin3d-t"})
final class WeightsGet implements Callable<Integer> {
    @Parameters(paramLabel = "NAME", description = "As otherwise weights list has it.")
    private String name;

    @Mixin
    private CatalogueOptions options;

    @Override
    public Integer call() throws IOException {
        var checkpoint = options.read().named(name);
        var folder = Files.createDirectories(options.folder().resolve(checkpoint.name()));
        try (var _ = FolderLock.of(folder)) {
            for (var download : checkpoint.downloads(options.folder())) fetch(download);
        }
        System.out.println(checkpoint.what() + ". Licence: " + checkpoint.licence() + ", " + checkpoint.source());
        return ExitCode.DONE;
    }

    private static void fetch(Download download) throws IOException {
        Download.Result result;
        try (var bar = Bar.from(download.to().getFileName().toString(), download.partSize(), download.size())) {
            result = download.fetch((bytes, all) -> {
                bar.maxHint(all);
                bar.stepTo(bytes);
            });
        }
        var known = switch (download.sha256().length()) {
            case 0 -> ", sha256 not known";
            case 64 -> ", sha256 right";
            default -> ", first digits of the sha256 right";
        };
        System.out.printf(Locale.ROOT, "%s: %s, %,d bytes%s%n", download.to(),
                result == Download.Result.FETCHED ? "fetched" : "here already",
                Files.size(download.to()), known);
    }
}
