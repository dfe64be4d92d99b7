package otherwise.cli;

import me.tongfei.progressbar.ProgressBar;

/// A bar that is drawn once the first step is done: before that, much can be wrong, and an error is one line.
final class LateBar implements AutoCloseable {
    private final String task;
    private ProgressBar bar;

    LateBar(String task) {
        this.task = task;
    }

    void done(int steps, int all) {
        if (bar == null) bar = Bar.of(task, all);
        bar.stepTo(steps);
    }

    @Override
    public void close() {
        if (bar != null) bar.close();
    }
}
