package otherwise.cli;

import java.io.IOException;
import java.util.Locale;
import java.util.concurrent.Callable;
import otherwise.explain.Counterfactual;
import otherwise.explain.Models;
import otherwise.explain.Question;
import otherwise.report.Table;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/// `otherwise classify`: what the classifier says of a video.
@Command(
        name = "classify",
        description = "Print the probabilities that the classifier gives a video.",
        mixinStandardHelpOptions = true,
        footer = {"", "Example:", "  otherwise classify --sample 3"})
final class Classify implements Callable<Integer> {
    @Mixin
    private VideoOptions videos;

    @Mixin
    private ModelOptions models;

    @Override
    public Integer call() throws IOException {
        var clip = videos.clip(Models.classified(models.files()));
        try (var backend = models.open()) {
            var classifier = Models.classifier(models.files(), backend);
            if (!clip.note().isBlank()) System.out.println(clip.name() + ": " + clip.note());
            var probabilities = classifier.probabilities(Question.tensor(clip.video(), backend), 0);
            var table = Table.of("class", "probability", "");
            int best = Counterfactual.likeliest(probabilities);
            for (int c = 0; c < probabilities.length; c++) {
                table.row(classifier.classes().get(c), String.format(Locale.ROOT, "%.4f", probabilities[c]), c == best ? "<" : "");
            }
            System.out.print(table.text());
            return ExitCode.DONE;
        }
    }
}
