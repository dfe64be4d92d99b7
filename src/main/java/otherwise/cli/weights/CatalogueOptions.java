package otherwise.cli.weights;

import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/// Which list of checkpoints, and where they lie.
final class CatalogueOptions {
    @Option(names = "--catalogue", paramLabel = "FILE", description = "The list of checkpoints (default: weights/catalogue.json).")
    private Path catalogue;

    @Option(names = "--out", paramLabel = "DIR",
            description = "Where checkpoints lie, each in a folder of its name (default: weights/public).")
    private Path out;

    Catalogue read() throws IOException {
        return Catalogue.read(catalogue == null ? Catalogue.standard() : catalogue);
    }

    Path folder() {
        return out == null ? Catalogue.folder() : out;
    }
}
