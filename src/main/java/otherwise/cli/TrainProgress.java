package otherwise.cli;

import java.util.Locale;
import java.util.Map;
import me.tongfei.progressbar.ProgressBar;
import otherwise.train.TrainingListener;

/// Draws a training: a bar with loss and time left on a terminal, a line now and then in a log file.
final class TrainProgress implements TrainingListener, AutoCloseable {
    private static final long LINE_EVERY = 100;

    @SuppressWarnings("SystemConsoleNull") // from JDK 25 on it is null again where there is no terminal
    private final boolean terminal = System.console() != null && System.console().isTerminal();
    private final long from;
    private ProgressBar bar;

    TrainProgress(long from) {
        this.from = from;
    }

    @Override
    public void stepped(long step, long steps, double loss, double rate, double secondsPerStep) {
        if (terminal) {
            if (bar == null) {
                bar = Bar.from("train", from, steps);
            }
            bar.stepTo(step);
            bar.setExtraMessage(String.format(Locale.ROOT, "loss %.4f", loss));
        } else if (step % LINE_EVERY == 0 || step == from + 10) {
            double left = (steps - step) * secondsPerStep / 60;
            System.out.printf(
                    Locale.ROOT, "step %d of %d: loss %.5f, rate %.2e, %.3f s a step, %.0f min left%n", step, steps, loss, rate,
                    secondsPerStep, left);
        }
    }

    @Override
    public void validated(long step, Map<String, Double> figures) {
        var words = new StringBuilder("held out after step " + step + ":");
        figures.forEach((name, value) -> words.append(String.format(Locale.ROOT, " %s %.4f", name, value)));
        System.out.println(words);
    }

    @Override
    public void saved(long step) {
        // The bar says enough; a state every minute is not news.
    }

    @Override
    public void close() {
        if (bar != null) bar.close();
    }
}
