package otherwise.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import otherwise.autograd.Gradients;
import otherwise.io.AtomicFile;
import otherwise.io.FolderLock;
import otherwise.io.Safetensors;
import otherwise.io.SafetensorsWriter;
import otherwise.io.TensorFile;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// The training loop: warm-up and cosine, gradient clipping, an optional moving average, validation, and a state that can be resumed.
///
/// The folder receives `state.safetensors` (parameters, both moments, the average, the step; replaced by atomic rename) and `log.csv`, a line
/// per logged step. Killed at any moment, a training loses what came after its last saved state, and nothing else.
public final class Training {

    /// How to train.
    ///
    /// @param optimizer made for the parameters by name
    /// @param clip largest norm of all gradients together
    /// @param ema decay of the moving average; 0 means none
    /// @param saveSeconds how often the state is written
    public record Settings(
            LearningRate rate,
            Function<Map<String, Tensor>, Optimizer> optimizer,
            double clip,
            double ema,
            long logEvery,
            long validateEvery,
            double saveSeconds) {}

    private static final String STATE = "state.safetensors";
    private static final String LOG = "log.csv";

    private final Parameters parameters;
    private final List<Tensor> variables;
    private final Settings settings;
    private final Path folder;
    private final Optimizer optimizer;
    private final Ema ema;
    private final StringBuilder log = new StringBuilder();
    private long step;
    private double secondsBefore;
    private volatile boolean stopped;

    /// Goes on where the folder's state left off, or starts anew if there is none.
    ///
    /// @throws IOException if the folder's state cannot be read or belongs to another network
    public Training(Parameters parameters, Settings settings, Path folder) throws IOException {
        this.parameters = parameters;
        this.variables = parameters.variables();
        this.settings = settings;
        this.folder = folder;
        this.optimizer = settings.optimizer.apply(parameters.byName());
        if (Files.exists(folder.resolve(STATE))) {
            resume();
        } else {
            log.append("step,loss,rate,gradient_norm,seconds,validation\n");
        }
        this.ema = settings.ema > 0 ? new Ema(variables, settings.ema) : null;
        if (ema != null && step > 0) restoreEma();
    }

    /// The steps done so far.
    public long step() {
        return step;
    }

    /// The weights to ship, by name: the moving average where there is one, and what was frozen.
    public Map<String, Tensor> shipped() {
        var tensors = parameters.constants();
        var values = ema == null ? variables : ema.averages();
        for (int i = 0; i < variables.size(); i++) tensors.put(parameters.names().get(i), values.get(i));
        return tensors;
    }

    /// Seconds of training so far, earlier runs counted in.
    public double seconds() {
        return secondsBefore;
    }

    /// Asks the loop to save and return after the current step. May be called from any thread.
    public void stop() {
        stopped = true;
    }

    /// Trains until all steps are done or [#stop] is called.
    ///
    /// @return whether all steps are done
    /// @throws IOException if the state cannot be written, or another training writes into the folder
    public boolean run(Objective objective, TrainingListener listener) throws IOException {
        Files.createDirectories(folder);
        try (var _ = FolderLock.of(folder)) {
            return steps(objective, listener);
        }
    }

    private boolean steps(Objective objective, TrainingListener listener) throws IOException {
        long steps = settings.rate.steps();
        long began = System.nanoTime();
        double before = secondsBefore;
        long lastSave = began;
        double recentLoss = Double.NaN;
        double pace = 0;
        while (step < steps && !stopped) {
            long start = System.nanoTime();
            double rate = settings.rate.at(step);
            var taken = take(step, objective, settings.clip);
            step++;
            double seconds = (System.nanoTime() - start) * 1e-9;
            recentLoss = Double.isNaN(recentLoss) ? taken.loss : 0.98 * recentLoss + 0.02 * taken.loss;
            pace = pace == 0 ? seconds : 0.95 * pace + 0.05 * seconds;
            secondsBefore = before + (System.nanoTime() - began) * 1e-9;
            listener.stepped(step, steps, recentLoss, rate, pace);
            boolean validates = step % settings.validateEvery == 0 || step == steps;
            if (validates || step % settings.logEvery == 0) {
                var figures = validates ? validate(objective) : Map.<String, Double>of();
                if (validates) listener.validated(step, figures);
                log.append(String.format(
                        java.util.Locale.ROOT, "%d,%.6f,%.3e,%.4f,%.1f,%s%n", step, recentLoss, rate, taken.norm, secondsBefore,
                        words(figures)));
            }
            if (step == steps || stopped || (System.nanoTime() - lastSave) * 1e-9 > settings.saveSeconds) {
                save();
                listener.saved(step);
                lastSave = System.nanoTime();
            }
        }
        return step >= steps;
    }

    /// What a step found: the loss, and how long its gradient was.
    private record Taken(double loss, double norm) {}

    private Taken take(long step, Objective objective, double clip) {
        Taken taken;
        try (var _ = variables.getFirst().backend().scope()) {
            var loss = objective.loss(step);
            var clipped = GradientClip.to(clip, Gradients.of(loss).to(variables));
            taken = new Taken(loss.item(), clipped.norm());
            if (!Double.isFinite(taken.loss) || !Double.isFinite(taken.norm)) {
                throw new IllegalStateException("step " + step + ": the loss is " + taken.loss + " and its gradient's norm " + taken.norm
                        + "; resume with a lower learning rate");
            }
            optimizer.step(clipped.gradients(), settings.rate.at(step));
        }
        if (ema != null) ema.update(step);
        return taken;
    }

    /// Does once, on a device that computes nothing, whatever takes memory in a run from here on. Gradients are taken to be too long, since
    /// shortening them makes others.
    public void rehearse(Objective objective) {
        long steps = settings.rate.steps();
        if (step >= steps) return;
        for (long s : objective.lastOfEachKind(steps)) if (s >= step) take(s, objective, Double.MIN_NORMAL);
        validate(objective);
    }

    private Map<String, Double> validate(Objective objective) {
        try (var _ = variables.getFirst().backend().scope();
                var _ = Tape.off()) {
            return objective.validate();
        }
    }

    private static String words(Map<String, Double> figures) {
        var words = new StringBuilder();
        figures.forEach((name, value) -> words.append(words.isEmpty() ? "" : " ")
                .append(name)
                .append('=')
                .append(String.format(java.util.Locale.ROOT, "%.4f", value)));
        return words.toString();
    }

    private void save() throws IOException {
        var writer = new SafetensorsWriter().metadata("kind", "training-state").metadata("step", Long.toString(step)).metadata("seconds",
                Double.toString(secondsBefore));
        var names = parameters.names();
        for (int i = 0; i < names.size(); i++) {
            add(writer, "parameters/" + names.get(i), variables.get(i));
            if (ema != null) add(writer, "ema/" + names.get(i), ema.averages().get(i));
        }
        optimizer.state().forEach((name, x) -> add(writer, "optimizer/" + name, x));
        writer.write(folder.resolve(STATE));
        AtomicFile.write(folder.resolve(LOG), log.toString());
    }

    private static void add(SafetensorsWriter writer, String name, Tensor x) {
        writer.add(name, "F32", x.shape().dims(), x.floats());
    }

    private void resume() throws IOException {
        try (var file = Safetensors.open(folder.resolve(STATE))) {
            step = Long.parseLong(file.metadata().get("step"));
            secondsBefore = Double.parseDouble(file.metadata().get("seconds"));
            for (var name : parameters.names()) parameters.set(name, stored(file, "parameters/" + name));
            var backend = variables.getFirst().backend();
            try (var _ = backend.scope()) {
                var state = new LinkedHashMap<String, Tensor>();
                for (var e : optimizer.state().entrySet()) {
                    var values = stored(file, "optimizer/" + e.getKey());
                    var x = Tensor.zeros(backend, e.getValue().data().type(), e.getValue().shape().dims());
                    backend.upload(x.data(), values);
                    state.put(e.getKey(), x);
                }
                optimizer.restore(step, state);
            }
        }
        if (Files.exists(folder.resolve(LOG))) log.append(Files.readString(folder.resolve(LOG)));
    }

    private void restoreEma() throws IOException {
        try (var file = Safetensors.open(folder.resolve(STATE))) {
            var names = parameters.names();
            for (int i = 0; i < names.size(); i++) {
                var average = ema.averages().get(i);
                average.backend().upload(average.data(), stored(file, "ema/" + names.get(i)));
            }
        }
    }

    private float[] stored(TensorFile file, String name) throws IOException {
        if (!file.contains(name))
            throw new IOException(folder.resolve(STATE) + ": no tensor '" + name + "': this state belongs to another network or optimizer");
        return file.floats(name);
    }
}
