package otherwise.explain;

import java.util.List;
import otherwise.autograd.Graphed;
import otherwise.tensor.Tensor;

/// A classifier that the device does as a whole, with its gradient.
final class GraphedClassifier implements Classifier {
    private final Classifier classifier;
    private final Graphed logits;

    /// What is recorded lives as long as the innermost scope.
    GraphedClassifier(Classifier classifier) {
        this.classifier = classifier;
        logits = new Graphed(in -> classifier.logits(in.getFirst(), 0));
    }

    @Override
    public List<String> classes() {
        return classifier.classes();
    }

    @Override
    public Clip clip() {
        return classifier.clip();
    }

    @Override
    public VideoFormat video() {
        return classifier.video();
    }

    /// What it looks at is cut out first: one recording for all offsets.
    @Override
    public Tensor logits(Tensor video, int offset) {
        return logits.of(video.slice(2, offset, offset + clip().span()));
    }
}
