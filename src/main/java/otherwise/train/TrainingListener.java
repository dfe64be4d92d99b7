package otherwise.train;

import java.util.Map;

/// Told how a training goes; the command line draws it.
public interface TrainingListener {

    /// One step is done.
    void stepped(long step, long steps, double loss, double rate, double secondsPerStep);

    /// Held-out figures after this many steps.
    void validated(long step, Map<String, Double> figures);

    /// The resumable state was written after this many steps.
    void saved(long step);
}
