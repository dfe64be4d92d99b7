package otherwise.explain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.autograd.Activations;
import otherwise.autograd.Gradients;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.backend.Shape;
import otherwise.diffusion.EulerSolver;
import otherwise.diffusion.FlowSchedule;
import otherwise.explain.BttfOptions.Start;
import otherwise.explain.BttfSchedule.Mode;
import otherwise.io.Video;
import otherwise.models.swin.VideoSwin;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

class ModelsTest {
    // One device for all: giving its memory back takes longer than these networks run.
    private static final Backend BACKEND = Backends.open("cpu", 1);

    @TempDir
    Path folder;

    @AfterAll
    static void close() {
        BACKEND.close();
    }

    private static Video video() {
        var f = TinyModels.FORMAT;
        var rgb = new byte[f.frames() * f.height() * f.width() * 3];
        for (int i = 0; i < rgb.length; i++) rgb[i] = (byte) (i * 37 % 251 / 2 + i % 64);
        return new Video(f.frames(), f.height(), f.width(), f.fps(), rgb);
    }

    @Test
    void whatIsWrittenIsOpenedAgain() throws IOException {
        var backend = BACKEND;
        try (var _ = backend.scope()) {
            var files = TinyModels.write(folder, backend);
            assertEquals(TinyModels.FORMAT, Models.format(files));
            var generator = Models.generator(files, backend);
            assertEquals(TinyModels.DIT, generator.transformer().config());
            assertEquals(TinyModels.VAE, generator.vae().config());
            assertEquals(TinyModels.CLIP, generator.clip().config());
            assertEquals(Shape.of(1, 16, 2, 4, 4), generator.latent());
            assertEquals(3, generator.shift());
            assertArrayEquals(Random.philox(3, 0).normal(24), generator.prompt().floats());
            assertEquals(0.01f * 15, generator.vae().scale().mean().getLast());

            var classifier = (SwinClassifier) Models.classifier(files, backend);
            assertEquals(TinyModels.CLASSES, classifier.classes());
            assertEquals(new Classifier.Clip(2, 2), classifier.clip());
            assertEquals(TinyModels.SWIN, classifier.network().config());
            var x = Question.tensor(video(), backend);
            var direct = VideoSwin.load(
                    otherwise.nn.Weights.of(TinyModels.weights(backend, 1, w -> VideoSwin.load(w, TinyModels.SWIN))), TinyModels.SWIN)
                    .forward(SwinClassifier.normalised(new Classifier.Clip(2, 2).of(x, 1)));
            assertArrayEquals(direct.floats(), classifier.logits(x, 1).floats());
        }
    }

    @Test
    void whatDoesNotFitIsOneLineThatNamesTheFile() throws IOException {
        var backend = BACKEND;
        try (var _ = backend.scope()) {
            var files = TinyModels.write(folder, backend);
            var weights = new LinkedHashMap<>(TinyModels.weights(backend, 1, w -> VideoSwin.load(w, TinyModels.SWIN)));

            weights.put("head.weight", Tensor.zeros(backend, 3, 99));
            assertRefused(files, backend, weights, "head.weight: expected [3, 16], the weights have [3, 99]");
            weights.remove("head.weight");
            assertRefused(files, backend, weights, "head.weight: the weights have no such tensor");
            weights.put("head.weight", Tensor.zeros(backend, 3, 16));
            weights.put("tail.weight", Tensor.zeros(backend, 1));
            assertRefused(files, backend, weights, "do not belong to a network of this config, the first is tail.weight");

            Files.copy(files.vae(), files.generator(), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
            var e = assertThrows(IOException.class, () -> Models.format(files));
            assertTrue(e.getMessage().endsWith("its kind is 'wan-vae', expected 'wan-i2v'"), e.getMessage());
            Files.delete(files.generator());
            assertTrue(assertThrows(IOException.class, () -> Models.format(files)).getMessage().contains("no such file"));
        }
    }

    private static void assertRefused(ModelFiles files, Backend backend, Map<String, Tensor> weights, String expected) throws IOException {
        files.writeClassifier(TinyModels.SWIN, TinyModels.CLASSES, 2, 2, TinyModels.FORMAT, weights, Map.of());
        var e = assertThrows(IOException.class, () -> Models.classifier(files, backend));
        assertTrue(e.getMessage().startsWith(files.classifier() + ": ") && e.getMessage().contains(expected), e.getMessage());
    }

    @Test
    void guidanceOfOneIsTheConditionAloneAndLargerGoesBeyond() throws IOException {
        var backend = BACKEND;
        try (var _ = backend.scope()) {
            var generator = Models.generator(TinyModels.write(folder, backend), backend);
            var frame = Question.tensor(video(), backend).slice(2, 0, 1);
            var x = Random.philox(9, 0).normal(backend, generator.latent().dims());
            var one = generator.condition(frame, 1, Activations.KEEP).at(x, 500).floats();
            var none = generator.condition(frame, 0, Activations.KEEP).at(x, 500).floats();
            var three = generator.condition(frame, 3, Activations.KEEP).at(x, 500).floats();
            double gap = 0;
            for (int i = 0; i < one.length; i++) {
                assertEquals(none[i] + 3 * (one[i] - none[i]), three[i], 1e-4);
                gap = Math.max(gap, Math.abs(one[i] - none[i]));
            }
            assertTrue(gap > 1e-3, "the text matters");
        }
    }

    /// The whole chain: noise → steps → pixels → clip → logits, and its gradient, along a random direction.
    @Test
    void theGradientReachesTheNoise() throws IOException {
        var backend = BACKEND;
        try (var _ = backend.scope()) {
            var files = TinyModels.write(folder, backend);
            var generator = Models.generator(files, backend);
            var classifier = Models.classifier(files, backend);
            var flow = generator.condition(Question.tensor(video(), backend).slice(2, 0, 1), 1, Activations.KEEP);
            java.util.function.Function<Tensor, Tensor> loss = z -> classifier
                    .logits(generator.decode(new EulerSolver(true).integrate(flow, z, FlowSchedule.euler(3, 3)), Activations.RECOMPUTE), 0)
                    .crossEntropy(2);
            var z = Random.philox(1, 0).normal(backend, generator.latent().dims());
            var v = z.variable();
            var gradient = Gradients.of(loss.apply(v)).to(v);
            double along = gradient.mul(gradient).sum().item();
            double h = 0.02 / Math.sqrt(along);
            double up = loss.apply(z.add(gradient.times(h)).variable()).item();
            double down = loss.apply(z.sub(gradient.times(h)).variable()).item();
            assertEquals(along, (up - down) / (2 * h), 0.03 * along);
        }
    }

    @Test
    void bttfRunsOnThemAndGoesOnWithTheSameBytes() throws IOException {
        var backend = BACKEND;
        try (var _ = backend.scope()) {
            var files = TinyModels.write(folder, backend);
            var generator = Models.generator(files, backend);
            var classifier = Models.classifier(files, backend);
            var options = BttfOptions.standard().with(new BttfSchedule(Mode.BUDGET, 0, 5, 3, 0.9, 2, 2)).with(Start.REVERSE_ODE, 0);
            int source = Counterfactual.likeliest(classifier.probabilities(Question.tensor(video(), backend), 0));
            var question = new Question(video(), source, (source + 1) % 3);
            var whole = new Bttf(options).explain(question, generator, classifier, Method.Listener.NONE, Journal.NONE);
            assertEquals(List.of(1, 2, 3, 3, 3), whole.log().stream().map(Iteration::steps).toList());

            var journal = new JournalFile(folder.resolve("state.safetensors"));
            assertThrows(IllegalStateException.class,
                    () -> new Bttf(options).explain(question, generator, classifier, (iteration, atMost) -> {
                        if (iteration.index() == 4) throw new IllegalStateException("stop");
                    }, journal));
            var resumed = new Bttf(options).explain(question, generator, classifier, Method.Listener.NONE, journal);
            assertArrayEquals(whole.pixels(), resumed.pixels());
            assertArrayEquals(whole.noise(), resumed.noise());
            assertEquals(5, resumed.log().size());
        }
    }
}
