package otherwise.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import otherwise.backend.Backend;
import otherwise.backend.DeviceException;
import otherwise.explain.Bttf;
import otherwise.explain.BttfOptions;
import otherwise.explain.Classifier;
import otherwise.explain.Counterfactual;
import otherwise.explain.Generator;
import otherwise.explain.Iteration;
import otherwise.explain.JournalFile;
import otherwise.explain.ModelFiles;
import otherwise.explain.Models;
import otherwise.explain.Networks;
import otherwise.explain.Question;
import otherwise.explain.Rehearsal;
import otherwise.io.FolderLock;
import otherwise.io.SafetensorsWriter;
import otherwise.io.VideoFile;
import otherwise.metrics.Psnr;
import otherwise.metrics.Ssim;
import otherwise.report.Report;
import otherwise.report.ReportData;

/// One explanation in its folder, from the question or from where it was stopped to the report.
final class Explanation {
    private final RunFolder folder;
    private final RunFolder.Run run;
    private final Generator generator;
    private final Classifier classifier;
    private final MemoryPlan memory;
    private volatile boolean stopped;

    Explanation(RunFolder folder, RunFolder.Run run, Networks networks, MemoryPlan memory) {
        this.folder = folder;
        this.run = run;
        this.generator = networks.generator();
        this.classifier = networks.classifier();
        this.memory = memory;
    }

    /// Unwinds a run after the iteration during which it was told to stop. Its state is on the disk.
    private static final class Stopped extends RuntimeException {
        Stopped() {
            super("stopped", null, false, false);
        }
    }

    /// The memory that explanations with these options take, one after the other.
    ///
    /// @throws DeviceException with the numbers, if the device has not so much
    /// @throws IllegalArgumentException if graphs are asked for of a device that has none
    static MemoryPlan plan(Backend backend, ModelFiles files, GraphOptions graphs, BttfOptions... options) throws IOException {
        graphs.requireOf(backend);
        var needed = Rehearsal.of(backend, dry -> {
            var networks = graphs.open(files, dry);
            for (var o : options) new Bttf(o).rehearse(networks.generator(), networks.classifier());
        });
        return MemoryPlan.of(backend, needed, "--checkpointing nested and fewer --steps take less");
    }

    /// Runs to the end and writes all results.
    ///
    /// @return the answer, or `null` if it was interrupted, with all but the current iteration saved
    /// @throws IOException if the folder cannot be written, or another process is at it
    Counterfactual run(Backend backend) throws IOException {
        try (var _ = FolderLock.of(folder.path())) {
            memory.announced();
            return answer(backend);
        }
    }

    private Counterfactual answer(Backend backend) throws IOException {
        long began = System.nanoTime();
        var original = folder.original();
        var question = new Question(original, run.source(), run.target());
        var log = new ArrayList<>(folder.saved());
        var done = new CountDownLatch(1);
        var hook = new Thread(() -> {
            stopped = true;
            try {
                done.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        Runtime.getRuntime().addShutdownHook(hook);
        var source = classifier.classes().get(run.source());
        var target = classifier.classes().get(run.target());
        System.out.println(
                "why " + source + " and not " + target + "? (" + run.input() + (run.note().isBlank() ? "" : ": " + run.note()) + ")");
        Counterfactual answer;
        try (var bar = Bar.of(target, run.options().schedule().atMost())) {
            answer = new Bttf(run.options())
                    .explain(
                            question,
                            generator,
                            classifier,
                            (iteration, atMost) -> {
                                bar.maxHint(atMost).stepTo(iteration.index());
                                bar.setExtraMessage(String.format(Locale.ROOT, "n %d, %s %.3f", iteration.steps(), target,
                                        iteration.targetProbability()));
                                log.add(iteration);
                                writeLog(log);
                                if (stopped) throw new Stopped();
                            },
                            new JournalFile(folder.state()));
        } catch (Stopped e) {
            System.out.println(
                    "stopped after iteration " + log.getLast().index() + "; go on with: otherwise explain --resume " + folder.path());
            return null;
        } finally {
            done.countDown();
            if (!stopped) Runtime.getRuntime().removeShutdownHook(hook);
        }
        write(answer, backend, (System.nanoTime() - began) * 1e-9);
        return answer;
    }

    /// For whoever watches a long run: the log after every iteration, whole.
    private void writeLog(List<Iteration> log) {
        try {
            folder.writeLog(log);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void write(Counterfactual answer, Backend backend, double seconds) throws IOException {
        var path = folder.path();
        new SafetensorsWriter()
                .add("noise", "F32", answer.latentShape(), answer.noise())
                .add("latent", "F32", answer.latentShape(), answer.latent())
                .write(path.resolve("latents.safetensors"));
        folder.writeLog(answer.log());
        var original = answer.question().video();
        VideoFile.write(path.resolve("original.mp4"), original);
        VideoFile.write(path.resolve("counterfactual.mp4"), answer.video());
        VideoFile.writeLossless(path.resolve("counterfactual.mkv"), answer.video());
        var data = data(answer, backend);
        folder.writeJson("result.json", result(answer, data.figures(), seconds));
        Report.writeAll(path, data);
        System.out.println(data.verdict().line(
                String.format(Locale.ROOT, "SSIM %.3f", data.figures().get("SSIM")), String.format(Locale.ROOT, "%.0f s", seconds)));
        System.out.println(memory.line());
        System.out.println("report: " + path.resolve("report.html"));
    }

    private Map<String, Object> result(Counterfactual answer, Map<String, Double> figures, double seconds) {
        var result = new LinkedHashMap<String, Object>();
        result.put("flipped", answer.flipped());
        result.put("source", classifier.classes().get(run.source()));
        result.put("target", classifier.classes().get(run.target()));
        result.put("classes", classifier.classes());
        result.put("before", answer.before());
        result.put("after", answer.after());
        result.put("iterations", answer.log().size());
        result.put("chosen", answer.chosen());
        result.put("figures", figures);
        result.put("bytes_of_memory", memory.json());
        result.put("seconds", seconds);
        result.put("where_the_time_went", answer.seconds());
        return result;
    }

    private ReportData data(Counterfactual answer, Backend backend) {
        var source = classifier.classes().get(run.source());
        var target = classifier.classes().get(run.target());
        var figures = new LinkedHashMap<String, Double>();
        figures.put("SSIM", Ssim.of(answer.question().video(), answer.video()));
        figures.put("PSNR (dB)", Psnr.of(answer.question().video(), answer.video()));
        figures.put("mean difference (0 to 1)", answer.distance());
        var options = new LinkedHashMap<String, String>();
        flatten(options, run.options());
        var provenance = new LinkedHashMap<String, String>();
        provenance.put("input", run.input() + (run.note().isBlank() ? "" : " (" + run.note() + ")"));
        run.hashes().forEach((file, hash) -> provenance.put(file + " sha256", hash));
        provenance.put("device", backend.name() + ": " + backend.description());
        provenance.put("version", RunFolder.version() + ", Java " + Runtime.version());
        return new ReportData(
                source + " → " + target,
                "Why " + source + " and not " + target + "?",
                answer.question().video(),
                answer.video(),
                classifier.classes(),
                answer.before(),
                answer.after(),
                run.source(),
                run.target(),
                answer.log().stream().map(Explanation::shown).toList(),
                answer.chosen() - 1,
                options,
                provenance,
                "otherwise explain --resume " + folder.path(),
                figures,
                answer.seconds());
    }

    /// Every component of a record and of the records in it, by name.
    private static void flatten(Map<String, String> into, Record options) {
        for (var component : options.getClass().getRecordComponents()) {
            try {
                var value = component.getAccessor().invoke(options);
                if (value instanceof Record inner) flatten(into, inner);
                else into.put(component.getName(), String.valueOf(value));
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(component + " cannot be read", e);
            }
        }
    }

    private static ReportData.Iteration shown(Iteration i) {
        var losses = new LinkedHashMap<String, Double>();
        if (i.inversion() != 0) losses.put("inversion", i.inversion());
        if (i.crossEntropy() != 0) losses.put("cross-entropy", i.crossEntropy());
        if (i.style() != 0) losses.put("style", i.style());
        if (i.prior() != 0) losses.put("prior", i.prior());
        var figures = new LinkedHashMap<String, Double>();
        figures.put("‖z‖/√d", i.noise());
        figures.put("‖gradient‖", i.gradient());
        return new ReportData.Iteration(i.stage(), i.steps(), i.targetProbability(), i.sourceProbability(), losses, figures, i.seconds());
    }

    /// The most likely class other than `source`.
    static int runnerUp(double[] probabilities, int source) {
        int best = source == 0 ? 1 : 0;
        for (int i = 0; i < probabilities.length; i++) if (i != source && probabilities[i] > probabilities[best]) best = i;
        return best;
    }

    /// The index of a class by its name.
    ///
    /// @throws IllegalArgumentException naming all classes, if there is none of this name
    static int classNamed(List<String> classes, String name) {
        int at = classes.indexOf(name);
        if (at < 0) throw new IllegalArgumentException("no class '" + name + "'; the classifier knows: " + String.join(", ", classes));
        return at;
    }

    /// Answers a new question in a new folder. All that can be wrong with the question is said before the folder is made.
    ///
    /// @param target `null` for the classifier's second guess
    /// @return as [#run]
    static Counterfactual of(Path out, VideoOptions.Clip clip, String target, BttfOptions options, ModelOptions models, GraphOptions graphs)
            throws IOException {
        RunFolder.requireNew(out);
        if (target != null) classNamed(Models.classes(models.files()), target);
        try (var backend = models.open()) {
            var memory = plan(backend, models.files(), graphs, options);
            var networks = graphs.open(models.files(), backend);
            return ask(out, clip, target, options, models, networks, memory).run(backend);
        }
    }

    private static Explanation ask(
            Path out, VideoOptions.Clip clip, String target, BttfOptions options, ModelOptions models, Networks networks, MemoryPlan memory)
            throws IOException {
        var classifier = networks.classifier();
        var backend = networks.generator().backend();
        double[] probabilities;
        try (var _ = backend.scope()) {
            probabilities = classifier.probabilities(Question.tensor(clip.video(), backend), options.offset().judged());
        }
        int source = Counterfactual.likeliest(probabilities);
        int wanted = target == null ? runnerUp(probabilities, source) : classNamed(classifier.classes(), target);
        if (wanted == source) {
            throw new IllegalArgumentException(
                    "the classifier calls " + clip.name() + " '" + classifier.classes().get(source) + "' already; name another --target");
        }
        var folder = RunFolder.create(out);
        var run = new RunFolder.Run(
                clip.name(), clip.note(), models.folder(), RunFolder.hashes(models.files()), models.device(), source, wanted, options);
        folder.begin(run, clip.video());
        return new Explanation(folder, run, networks, memory);
    }
}
