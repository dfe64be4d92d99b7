package otherwise.explain;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import otherwise.backend.Backend;
import otherwise.backend.DType;
import otherwise.explain.BttfSchedule.Position;
import otherwise.explain.BttfSchedule.Stage;
import otherwise.explain.Journal.Snapshot;
import otherwise.explain.Journal.Snapshot.Values;
import otherwise.tensor.Tensor;

/// What changes from iteration to iteration of [Bttf]: z_T and AdamW's moments, where the schedule stands, and the best result so far.
/// It becomes a snapshot, and again itself, without losing a bit.
final class BttfState {
    private static final double BETA1 = 0.9;
    private static final double BETA2 = 0.999;
    private static final double EPSILON = 1e-8;

    /// A result at n = N.
    ///
    /// @param iteration that saw it
    /// @param probability of the target, judged on 8 bits; `flipped` whether it is the largest
    /// @param distance to the original
    record Best(int iteration, double probability, boolean flipped, double distance, Values noise, Values latent) {

        /// Good ones by distance, since they are all of the target class; others by how far they got.
        boolean beats(Best other, double threshold) {
            int mine = rank(threshold);
            int theirs = other.rank(threshold);
            if (mine != theirs) return mine > theirs;
            return mine == 2 ? distance < other.distance : probability > other.probability;
        }

        private int rank(double threshold) {
            return !flipped ? 0 : probability >= threshold ? 2 : 1;
        }
    }

    private final Tensor noise;
    private final Tensor first;
    private final Tensor second;
    private long updates;
    private Position position;
    private Best best;
    private final Map<String, Double> earlier = new LinkedHashMap<>();

    private BttfState(Position position, Tensor noise, Tensor first, Tensor second) {
        this.position = position;
        this.noise = noise;
        this.first = first;
        this.second = second;
    }

    static BttfState fresh(Position position, Tensor noise) {
        var dims = noise.shape().dims();
        var backend = noise.backend();
        var type = backend.statistics();
        return new BttfState(position, noise, Tensor.zeros(backend, type, dims), Tensor.zeros(backend, type, dims));
    }

    Tensor noise() {
        return noise;
    }

    Position position() {
        return position;
    }

    Best best() {
        return best;
    }

    void moveTo(Position next) {
        position = next;
    }

    /// One step of AdamW on z_T, in place.
    void step(Tensor gradient, double learningRate, double decay) {
        updates++;
        noise.backend()
                .adamW(noise.data(), first.data(), second.data(), gradient.data(), learningRate, BETA1, BETA2, EPSILON, decay, updates);
    }

    /// Sets AdamW back to where it began.
    void forget() {
        noise.backend().fill(first.data(), 0);
        noise.backend().fill(second.data(), 0);
        updates = 0;
    }

    /// Keeps a candidate if it beats the best so far.
    void offer(Best candidate, double threshold) {
        if (best == null || candidate.beats(best, threshold)) best = candidate;
    }

    /// Keeps a candidate in any case.
    void choose(Best candidate) {
        best = candidate;
    }

    /// The times of this process and of those before it that were interrupted.
    Map<String, Double> seconds(Map<String, Double> now) {
        var sum = new LinkedHashMap<>(earlier);
        now.forEach((name, s) -> sum.merge(name, s, Double::sum));
        return sum;
    }

    // ---- to and from a snapshot --------------------------------------------------------------------------------------------------

    Snapshot snapshot(BttfOptions options, Question question, List<Iteration> log, Map<String, Double> seconds) {
        var tensors = new HashMap<String, Values>();
        tensors.put("noise", Values.of(noise));
        tensors.put("exp_avg", Values.of(first));
        tensors.put("exp_avg_sq", Values.of(second));
        var notes = new HashMap<String, String>();
        notes.put("asked", asked(options, question));
        notes.put("updates", Long.toString(updates));
        notes.put("stage", position.stage().name());
        notes.put("n", Integer.toString(position.n()));
        notes.put("here", Integer.toString(position.here()));
        notes.put("total", Integer.toString(position.total()));
        notes.put("held", Integer.toString(position.held()));
        notes.put("log", String.join("\n", log.stream().map(Iteration::csv).toList()));
        seconds(seconds).forEach((name, s) -> notes.put("seconds." + name, Double.toString(s)));
        if (best != null) {
            tensors.put("best.noise", best.noise);
            tensors.put("best.latent", best.latent);
            notes.put("best.iteration", Integer.toString(best.iteration));
            notes.put("best.probability", Double.toString(best.probability));
            notes.put("best.flipped", Boolean.toString(best.flipped));
            notes.put("best.distance", Double.toString(best.distance));
        }
        return new Snapshot(tensors, notes);
    }

    /// @param log receives the iterations so far
    /// @throws IOException if the snapshot is of another question, or other options
    static BttfState restored(Snapshot s, BttfOptions options, Question question, Backend backend, List<Iteration> log) throws IOException {
        var notes = s.notes();
        if (!asked(options, question).equals(notes.get("asked"))) {
            throw new IOException("the saved state is of other options or another question: " + notes.get("asked"));
        }
        var position = new Position(
                Stage.valueOf(notes.get("stage")), number(notes, "n"), number(notes, "here"), number(notes, "total"),
                number(notes, "held"));
        var statistics = backend.statistics();
        var state = new BttfState(
                position, tensor(s, "noise", backend, backend.real()), tensor(s, "exp_avg", backend, statistics),
                tensor(s, "exp_avg_sq", backend, statistics));
        state.updates = number(notes, "updates");
        notes.get("log").lines().map(Iteration::parse).forEach(log::add);
        notes.forEach((name, v) -> {
            if (name.startsWith("seconds.")) state.earlier.put(name.substring("seconds.".length()), Double.valueOf(v));
        });
        if (s.tensors().containsKey("best.latent")) {
            state.best = new Best(
                    number(notes, "best.iteration"),
                    Double.parseDouble(notes.get("best.probability")),
                    Boolean.parseBoolean(notes.get("best.flipped")),
                    Double.parseDouble(notes.get("best.distance")),
                    s.tensors().get("best.noise"),
                    s.tensors().get("best.latent"));
        }
        return state;
    }

    private static int number(Map<String, String> notes, String name) {
        return Integer.parseInt(notes.get(name));
    }

    private static Tensor tensor(Snapshot s, String name, Backend backend, DType type) {
        var values = s.tensors().get(name);
        var x = Tensor.zeros(backend, type, values.dims());
        backend.upload(x.data(), values.elements());
        return x;
    }

    private static String asked(BttfOptions options, Question question) {
        try {
            return ModelFiles.JSON.writeValueAsString(options) + " " + question.source() + " -> " + question.target();
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("options that cannot be written as JSON", e);
        }
    }
}
