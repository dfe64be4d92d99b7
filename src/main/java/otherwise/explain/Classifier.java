package otherwise.explain;

import java.util.List;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// Whose decision is to be explained: any differentiable function from a video to one logit a class.
///
/// Frames are chosen and colours normalised inside, so that gradients reach the pixels of the video that a person sees.
public interface Classifier {

    /// The classes, in the order of the logits.
    List<String> classes();

    /// Which frames it looks at.
    Clip clip();

    /// The videos it was trained on.
    VideoFormat video();

    /// The logits `[1, classes]` of a video `[1, 3, T, H, W]` in −1 … 1 (values beyond are allowed). Differentiable.
    ///
    /// @param offset the first frame of the clip
    Tensor logits(Tensor video, int offset);

    /// The probabilities of the classes. Nothing is recorded for a way back.
    default double[] probabilities(Tensor video, int offset) {
        try (var _ = Tape.off();
                var _ = video.backend().scope()) {
            return logits(video.detach(), offset).softmax().doubles();
        }
    }

    /// A clip of `frames` frames, every `stride`-th of a video.
    record Clip(int frames, int stride) {

        /// @throws IllegalArgumentException if one of them is not positive
        public Clip {
            if (frames < 1 || stride < 1) throw new IllegalArgumentException("no clip has " + frames + " frames, every " + stride + "-th");
        }

        /// How many frames of a video it spans.
        public int span() {
            return (frames - 1) * stride + 1;
        }

        /// The clip of a video `[B, 3, T, H, W]` that begins at frame `offset`: `[B, 3, frames, H, W]`.
        ///
        /// @throws IllegalArgumentException if the video is too short for it
        public Tensor of(Tensor video, int offset) {
            long length = video.dim(2);
            if (offset < 0 || offset + span() > length) {
                throw new IllegalArgumentException("a clip of " + frames + " frames, every " + stride + "-th from frame " + offset
                        + " on, does not fit into a video of " + length + " frames");
            }
            if (stride == 1) return video.slice(2, offset, offset + frames);
            // Frames in groups of one stride, of which the first is taken; the last group may have to be filled up.
            long whole = (long) frames * stride;
            var from = video.slice(2, offset, Math.min(length, offset + whole));
            var groups = from.pad(2, 0, whole - from.dim(2));
            return groups.reshape(video.dim(0), video.dim(1), frames, stride, video.dim(3), video.dim(4)).select(3, 0);
        }
    }
}
