package otherwise.cli;

import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/// The progress bar that every verb draws.
public final class Bar {
    private Bar() {}

    /// A bar of `max` steps, drawn at most twice a second on standard error.
    public static ProgressBar of(String task, long max) {
        return from(task, 0, max);
    }

    /// A bar of which `done` steps were done in an earlier run.
    public static ProgressBar from(String task, long done, long max) {
        return new ProgressBarBuilder().setTaskName(task).setInitialMax(max).setUpdateIntervalMillis(500).setStyle(ProgressBarStyle.ASCII)
                .startsFrom(done, java.time.Duration.ZERO).build();
    }
}
