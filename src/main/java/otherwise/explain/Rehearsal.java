package otherwise.explain;

import java.io.IOException;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.nn.Trace;
import otherwise.tensor.Tape;

/// Finds what work will take of a device by doing it on one that computes nothing: by the code that will run, not by a formula beside it.
///
/// That takes the time of building the graphs. The real device, and whatever this thread is recording or listening to, do not notice.
public final class Rehearsal {
    private Rehearsal() {}

    /// What is rehearsed. Weights are part of what it takes: model files are opened on the dry device too, where tensors that the real one
    /// takes as they lie in the file are mapped, and not read.
    @FunctionalInterface
    public interface Work {
        void on(Backend dry) throws IOException;
    }

    /// The memory that `work` will take of `device`; the `footprint` is what must be there.
    public static Backend.Memory of(Backend device, Work work) throws IOException {
        try (var dry = Backends.dry(device);
                var _ = dry.scope();
                var _ = Tape.on();
                var _ = Trace.follow(_ -> {})) {
            work.on(dry);
            return dry.memory();
        }
    }
}
