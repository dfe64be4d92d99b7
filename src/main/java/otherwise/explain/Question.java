package otherwise.explain;

import otherwise.backend.Backend;
import otherwise.io.Video;
import otherwise.tensor.Tensor;

/// Why is this video of class `source`, and not `target`? What would have to be otherwise?
///
/// @param source index of the class that the classifier gives the video, `target` of the one that it should give
public record Question(Video video, int source, int target) {

    /// @throws IllegalArgumentException if both classes are the same
    public Question {
        if (source == target) throw new IllegalArgumentException("the target is the class that the video has already");
    }

    /// The video as networks read it: `[1, 3, T, H, W]` in −1 … 1.
    public static Tensor tensor(Video video, Backend backend) {
        return Tensor.of(backend, video.toChannelsFirst(), 1, 3, video.frames(), video.height(), video.width());
    }
}
