package otherwise.cli;

import java.nio.file.Path;
import otherwise.backend.Backend;
import otherwise.explain.ModelFiles;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// Which models, and where they run.
final class ModelOptions {
    @Option(names = "--models", paramLabel = "DIR", description = "Folder with the three model files (default: those that ship).")
    private Path models;

    @Mixin
    private DeviceOptions device;

    @Option(names = "--threads", defaultValue = "0", paramLabel = "N",
            description = "CPU threads; 0 means all (default: ${DEFAULT-VALUE}).")
    private int threads;

    ModelFiles files() {
        return new ModelFiles(folder());
    }

    /// The folder that was named, or the one that ships with the program.
    Path folder() {
        if (models != null) return models;
        // The launcher says where it lives; started otherwise, the current folder is taken for it.
        return Path.of(System.getProperty("otherwise.home", "."), "weights", "shape-moving-mini").normalize();
    }

    Backend open() {
        return device.open(threads);
    }

    /// The device as it was asked for.
    String device() {
        return device.toString();
    }
}
