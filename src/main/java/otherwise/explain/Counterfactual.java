package otherwise.explain;

import java.util.List;
import java.util.Map;
import otherwise.io.Video;

/// What a method found: the video that is like the original and of another class, if the verdict is good.
///
/// @param video as a file holds it: clamped to 0 … 255 and rounded. The verdict is about this one
/// @param pixels as the generator made it, `[3, T, H, W]` around −1 … 1
/// @param noise where the flow begins, `[1, z, t, h, w]`; `latent` where it ends
/// @param before probabilities of the classes of the original, `after` those of `video`
/// @param chosen index of the iteration whose video this is; one more than the last for the video after the last update
/// @param log every iteration, in order
/// @param seconds where the time went, by the name of the work
public record Counterfactual(
        Question question,
        Video video,
        float[] pixels,
        float[] noise,
        float[] latent,
        long[] latentShape,
        double[] before,
        double[] after,
        int chosen,
        List<Iteration> log,
        Map<String, Double> seconds) {

    /// Whether the classifier now says the target.
    public boolean flipped() {
        return likeliest(after) == question.target();
    }

    /// The mean difference of the two videos, as 8-bit values, 0 … 1.
    public double distance() {
        return distance(question.video(), video);
    }

    /// The index of the largest probability.
    public static int likeliest(double[] probabilities) {
        int best = 0;
        for (int i = 1; i < probabilities.length; i++) if (probabilities[i] > probabilities[best]) best = i;
        return best;
    }

    /// mean |a − b| / 255
    static double distance(Video a, Video b) {
        long sum = 0;
        for (int i = 0; i < a.rgb().length; i++) sum += Math.abs((a.rgb()[i] & 0xFF) - (b.rgb()[i] & 0xFF));
        return sum / 255.0 / a.rgb().length;
    }
}
