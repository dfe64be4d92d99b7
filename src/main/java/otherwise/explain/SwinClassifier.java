package otherwise.explain;

import java.util.List;
import otherwise.models.swin.VideoSwin;
import otherwise.tensor.Tensor;

/// A [VideoSwin] as a classifier of whole videos: chooses its clip and brings colours to ImageNet's mean and deviation.
public record SwinClassifier(VideoSwin network, List<String> classes, Clip clip, VideoFormat video) implements Classifier {
    private static final float[] MEAN = {123.675f / 255, 116.28f / 255, 103.53f / 255};
    private static final float[] DEVIATION = {58.395f / 255, 57.12f / 255, 57.375f / 255};

    /// @throws IllegalArgumentException if the names are not as many as the network's classes
    public SwinClassifier {
        if (classes.size() != network.config().numClasses()) {
            throw new IllegalArgumentException(classes.size() + " names for " + network.config().numClasses() + " classes: " + classes);
        }
        classes = List.copyOf(classes);
    }

    @Override
    public Tensor logits(Tensor video, int offset) {
        return network.forward(normalised(clip.of(video, offset)));
    }

    /// Pixels `[B, 3, T, H, W]` in −1 … 1 as the network was trained on them: (0 … 1 − mean) / deviation.
    public static Tensor normalised(Tensor clip) {
        var mean = Tensor.of(clip.backend(), MEAN, 1, 3, 1, 1, 1);
        var deviation = Tensor.of(clip.backend(), DEVIATION, 1, 3, 1, 1, 1);
        return clip.affine(0.5, 0.5).sub(mean).div(deviation);
    }
}
