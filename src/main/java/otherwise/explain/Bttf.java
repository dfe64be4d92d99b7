package otherwise.explain;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import otherwise.autograd.Gradients;
import otherwise.backend.Backend;
import otherwise.backend.Scope;
import otherwise.diffusion.EulerSolver;
import otherwise.diffusion.FlowSchedule;
import otherwise.diffusion.Velocity;
import otherwise.explain.BttfSchedule.Position;
import otherwise.explain.BttfSchedule.Stage;
import otherwise.io.Video;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// Back to the feature (arXiv 2511.20295): moves the noise z_T from which a frozen image-to-video generator starts, until the video that
/// it makes from the original's first frame is of the target class.
///
///     stage 1   z₀ = denoise(z_T, 1)                     L = mean |z₀ − encode(original)|
///     stage 2   x = decode(denoise(z_T, n)), n = 1 … N   L = cross-entropy(classifier(x), target) + λ · style(x, original)
///
/// One AdamW moves z_T through both stages. The answer is judged as a file holds it: decoded at n = N, clamped, rounded to 8 bits.
/// Randomness is in the start alone, so a run that goes on from a snapshot gives the same bytes as one that was never interrupted.
public record Bttf(BttfOptions options) implements Method {

    @Override
    public String name() {
        return "bttf";
    }

    @Override
    public Counterfactual explain(Question question, Generator generator, Classifier classifier, Listener listener, Journal journal)
            throws IOException {
        requireFit(question, generator, classifier);
        try (var _ = generator.backend().scope()) {
            return new Run(question, generator, classifier, listener, journal).counterfactual();
        }
    }

    @Override
    public void rehearse(Generator generator, Classifier classifier) throws IOException {
        var format = generator.video();
        var blank = new byte[format.frames() * format.height() * format.width() * 3];
        var question = new Question(new Video(format.frames(), format.height(), format.width(), format.fps(), blank), 0, 1);
        new Bttf(options.rehearsal()).explain(question, generator, classifier, Listener.NONE, Journal.NONE);
    }

    private void requireFit(Question question, Generator generator, Classifier classifier) {
        var format = generator.video();
        var video = question.video();
        if (video.frames() != format.frames() || video.height() != format.height() || video.width() != format.width()) {
            throw new IllegalArgumentException("the video has " + video + ", the generator makes " + format);
        }
        int last = Math.max(options.offset().of(0), options.offset().of(1)) + classifier.clip().span();
        if (last > format.frames()) {
            throw new IllegalArgumentException("offset " + options.offset() + " needs " + last + " frames, the generator makes " + format);
        }
        int classes = classifier.classes().size();
        if (question.target() < 0 || question.target() >= classes || question.source() < 0 || question.source() >= classes) {
            throw new IllegalArgumentException("classes " + question.source() + " and " + question.target() + ": there are " + classes);
        }
    }

    /// One run, from its start or from a snapshot to its answer.
    private final class Run {
        private final Question question;
        private final Generator generator;
        private final Classifier classifier;
        private final Listener listener;
        private final Journal journal;
        private final Backend backend;

        private final BttfSchedule schedule = options.schedule();
        private final Stopwatch watch = new Stopwatch();
        private final List<Iteration> log = new ArrayList<>();
        private final double[] before;
        private final Tensor source;
        private final StyleLoss style;
        private final Velocity velocity;
        private final BttfState state;

        Run(Question question, Generator generator, Classifier classifier, Listener listener, Journal journal) throws IOException {
            this.question = question;
            this.generator = generator;
            this.classifier = classifier;
            this.listener = listener;
            this.journal = journal;
            this.backend = generator.backend();
            var video = Question.tensor(question.video(), backend);
            before = watch.time("classify", () -> classifier.probabilities(video, options.offset().judged()));
            style = StyleLoss.against(video);
            source = watch.time("encode", () -> generator.encode(video)).detach();
            velocity = watch.time("encode", () -> {
                try (var _ = Tape.off()) {
                    return generator.condition(video.slice(2, 0, 1), options.guidance(), options.checkpointing().blocks());
                }
            });
            var saved = journal.last();
            state = saved.isPresent()
                    ? BttfState.restored(saved.get(), options, question, backend, log)
                    : BttfState.fresh(schedule.start(), watch.time("denoise", this::start));
        }

        private Tensor start() {
            return new StartNoise(options, backend, velocity, source, flow(schedule.steps()), this::targetProbability).make();
        }

        private double targetProbability(Tensor latent) {
            return judge(shown(generator.decode(latent, options.checkpointing().blocks())))[question.target()];
        }

        private FlowSchedule flow(int n) {
            return FlowSchedule.euler(n, options.shift() > 0 ? options.shift() : generator.shift());
        }

        Counterfactual counterfactual() throws IOException {
            // What encoding and the start took is of other sizes than what an iteration takes.
            backend.trim();
            while (!state.position().done()) {
                Iteration done;
                try (var _ = backend.scope()) {
                    done = iterate();
                }
                log.add(done);
                save();
                listener.done(done, schedule.atMost());
            }
            if (!options.keepBest() || state.best() == null) evaluateLast();
            return answer();
        }

        private void save() throws IOException {
            journal.save(state.snapshot(options, question, log, watch.seconds()));
        }

        // ---- one iteration ------------------------------------------------------------------------------------------------------

        private Iteration iterate() {
            long began = System.nanoTime();
            var p = state.position();
            var z = state.noise().variable();
            var loss = new Loss();
            double length = norm(z);
            var latent = watch.time("denoise", () -> new EulerSolver(options.checkpointing().steps()).integrate(velocity, z, flow(p.n())));
            double reached = Double.NaN;
            if (p.stage() == Stage.INVERSION) {
                loss.inversion = latent.sub(source).abs().mean();
            } else {
                reached = look(p, latent, loss);
            }
            if (options.prior() == BttfOptions.Prior.CHI) loss.prior = chi(z);
            double steepness = schedule.settles(p, reached) ? 0 : move(z, loss, length);
            if (!Double.isFinite(loss.sum().item()) || !Double.isFinite(steepness)) {
                throw new IllegalArgumentException(
                        "iteration " + (log.size() + 1) + ": loss " + loss.sum().item() + ", gradient " + steepness
                                + ": not finite; a smaller learning rate than " + options.learningRate() + " may help");
            }
            var next = schedule.after(p, reached);
            boolean forget = switch (options.reset()) {
                case NEVER -> false;
                case STAGE -> next.stage() != p.stage();
                case STEPS -> next.stage() != p.stage() || next.n() != p.n();
            };
            if (forget) state.forget();
            state.moveTo(next);
            return new Iteration(
                    log.size() + 1,
                    p.stage().name().toLowerCase(java.util.Locale.ROOT),
                    p.n(),
                    value(loss.inversion),
                    value(loss.crossEntropy),
                    value(loss.style),
                    value(loss.prior),
                    loss.target,
                    loss.sourceClass,
                    length,
                    steepness,
                    loss.distance,
                    (System.nanoTime() - began) * 1e-9);
        }

        /// Shows the video to the classifier; at n = N, also as a file would hold it. Returns the probability of the target.
        private double look(Position p, Tensor latent, Loss loss) {
            var video = watch.time("decode", () -> generator.decode(latent, options.checkpointing().blocks()));
            var logits = watch.time("classify", () -> classifier.logits(video, options.offset().of(p.total())));
            loss.crossEntropy = logits.crossEntropy(question.target());
            if (options.lambda() > 0) loss.style = style.of(video).times(options.lambda());
            var probabilities = logits.detach().softmax().doubles();
            loss.target = probabilities[question.target()];
            loss.sourceClass = probabilities[question.source()];
            if (p.n() != schedule.steps()) return loss.target;
            var shown = shown(video);
            var judged = judge(shown);
            loss.distance = Counterfactual.distance(question.video(), shown);
            var candidate = new BttfState.Best(
                    log.size() + 1,
                    judged[question.target()],
                    Counterfactual.likeliest(judged) == question.target(),
                    loss.distance,
                    Journal.Snapshot.Values.of(state.noise()),
                    Journal.Snapshot.Values.of(latent.detach()));
            if (options.keepBest()) state.offer(candidate, schedule.threshold());
            return Math.min(loss.target, judged[question.target()]);
        }

        /// Takes z_T a step down the loss, and returns the length of the gradient. Where that is not finite, z_T stays.
        private double move(Tensor z, Loss loss, double length) {
            var gradient = watch.time("backward", () -> Gradients.of(loss.sum()).to(z));
            double steepness = norm(gradient) * Math.sqrt(z.size());
            if (!Double.isFinite(steepness)) return steepness;
            double limit = options.clip();
            update(limit > 0 && steepness > limit ? gradient.times(limit / steepness) : gradient, length);
            return steepness;
        }

        private void update(Tensor gradient, double length) {
            watch.time("other", () -> {
                state.step(gradient, options.learningRate(), options.weightDecay());
                if (options.prior() == BttfOptions.Prior.RENORM) {
                    var z = state.noise();
                    backend.affine(z.data(), z.data(), length / norm(z), 0);
                }
                return null;
            });
        }

        /// ½‖z‖² − (d−1)·log‖z‖, weighted
        private Tensor chi(Tensor z) {
            var squares = z.square().sum();
            return squares.sub(squares.log().times(z.size() - 1)).times(options.priorWeight() / 2);
        }

        // ---- the answer ---------------------------------------------------------------------------------------------------------

        /// z_T after the last update has not been looked at yet.
        private void evaluateLast() throws IOException {
            try (var _ = backend.scope();
                    var _ = Tape.off()) {
                var latent = watch.time("denoise", () -> new EulerSolver(false).integrate(velocity, state.noise(), flow(schedule.steps())));
                state.choose(new BttfState.Best(
                        log.size() + 1,
                        Double.NaN,
                        false,
                        Double.NaN,
                        Journal.Snapshot.Values.of(state.noise()),
                        Journal.Snapshot.Values.of(latent)));
                // Latents before decoding: whatever happens now, the result is on the disk.
                save();
            }
        }

        private Counterfactual answer() {
            var best = state.best();
            try (var _ = backend.scope();
                    var _ = Tape.off()) {
                var latent = Tensor.of(backend, best.latent().elements(), best.latent().dims());
                var pixels = watch.time("decode", () -> generator.decode(latent, options.checkpointing().blocks()));
                var video = shown(pixels);
                var after = judge(video);
                return new Counterfactual(
                        question,
                        video,
                        pixels.floats(),
                        best.noise().elements(),
                        best.latent().elements(),
                        best.latent().dims(),
                        before,
                        after,
                        best.iteration(),
                        List.copyOf(log),
                        state.seconds(watch.seconds()));
            }
        }

        private Video shown(Tensor pixels) {
            var v = question.video();
            return Video.fromChannelsFirst(pixels.floats(), v.frames(), v.height(), v.width(), v.fps());
        }

        private double[] judge(Video video) {
            try (var _ = Scope.open()) {
                var x = Question.tensor(video, backend);
                return watch.time("classify", () -> classifier.probabilities(x, options.offset().judged()));
            }
        }
    }

    /// The parts of one iteration's loss, `null` where they take no part, and what goes into the log with them.
    private static final class Loss {
        private Tensor inversion;
        private Tensor crossEntropy;
        private Tensor style;
        private Tensor prior;
        private double target = Double.NaN;
        private double sourceClass = Double.NaN;
        private double distance = Double.NaN;
        private Tensor sum;

        Tensor sum() {
            if (sum == null) {
                for (var part : new Tensor[] {inversion, crossEntropy, style, prior}) {
                    if (part != null) sum = sum == null ? part : sum.add(part);
                }
            }
            return sum;
        }
    }

    private static double value(Tensor part) {
        return part == null ? 0 : part.detach().item();
    }

    /// ‖x‖/√d
    private static double norm(Tensor x) {
        double squares = 0;
        for (double v : x.detach().doubles()) squares += v * v;
        return Math.sqrt(squares / x.size());
    }
}
