package otherwise.cli;

import java.io.IOException;
import otherwise.backend.Backend;
import otherwise.explain.ModelFiles;
import otherwise.explain.Networks;
import picocli.CommandLine.Option;

/// Whether networks are done work by work, or as wholes.
public final class GraphOptions {
    @Option(names = "--graphs",
            description = "On a CUDA device, do networks as graphs: one call in the place of thousands, for networks so small that the device "
                    + "waits for the host. Activations are computed twice.")
    private boolean graphs;

    /// @throws IllegalArgumentException if graphs are asked for of a device that has none
    public void requireOf(Backend backend) {
        if (graphs && !backend.records())
            throw new IllegalArgumentException("--graphs is for the CUDA devices; " + backend.name() + " does nothing as a graph");
    }

    /// Whether that was asked for.
    public boolean asked() {
        return graphs;
    }

    /// Opens the networks of an explanation, into the innermost scope.
    ///
    /// @throws IOException if a file is missing or holds something else
    public Networks open(ModelFiles files, Backend backend) throws IOException {
        var networks = Networks.open(files, backend);
        return graphs ? networks.graphed() : networks;
    }
}
