package otherwise.explain;

import java.io.IOException;
import otherwise.backend.Backend;

/// The two networks between which an explanation is found, on one device.
public record Networks(Generator generator, Classifier classifier) {

    /// Opens both, into the innermost scope.
    ///
    /// @throws IOException if a file is missing or holds something else
    public static Networks open(ModelFiles files, Backend backend) throws IOException {
        var classifier = Models.classifier(files, backend);
        var networks = new Networks(Models.generator(files, backend), classifier);
        backend.trim(); // bringing weights to the type of the device took other sizes than computing will
        return networks;
    }

    /// The same, done by the device as wholes ([otherwise.autograd.Graphed]): the flow, the decoder, the classifier, each with its gradient. What
    /// is recorded lives as long as the innermost scope.
    public Networks graphed() {
        return new Networks(new GraphedGenerator(generator), new GraphedClassifier(classifier));
    }
}
