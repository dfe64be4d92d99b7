package otherwise.explain;

import java.util.List;
import otherwise.autograd.Activations;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.diffusion.TimedVelocity;
import otherwise.io.Video;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// A generator and a classifier of a few numbers, so that a method's own behaviour can be tested in milliseconds.
final class Toys {
    static final VideoFormat FORMAT = new VideoFormat(5, 16, 16, 8);
    static final Shape LATENT = Shape.of(1, 4, 2, 4, 4);
    private static final int PIXELS = 3 * 5 * 16 * 16;

    private Toys() {}

    /// Decodes by a fixed random matrix; its flow pulls towards a function of the first frame and bends on the way.
    record ToyGenerator(Backend backend, Tensor matrix) implements Generator {

        static ToyGenerator on(Backend backend) {
            var m = Random.philox(7, 1).normal(backend, PIXELS, LATENT.size());
            return new ToyGenerator(backend, m.times(0.6 / Math.sqrt(LATENT.size())));
        }

        @Override
        public VideoFormat video() {
            return FORMAT;
        }

        @Override
        public Shape latent() {
            return LATENT;
        }

        @Override
        public double shift() {
            return 3;
        }

        @Override
        public Tensor encode(Tensor video) {
            return video.reshape(1, PIXELS).matmul(matrix).times(0.3).reshape(LATENT.dims());
        }

        @Override
        public Tensor decode(Tensor latent, Activations activations) {
            return activations.run(() -> latent.reshape(1, LATENT.size()).matmulT(matrix).reshape(1, 3, 5, 16, 16));
        }

        @Override
        public TimedVelocity condition(Tensor firstFrame, double guidance, Activations activations) {
            var towards = firstFrame.mean();
            return new TimedVelocity() {
                @Override
                public Tensor time(double t) {
                    return Tensor.full(backend, 0.2 + t / 5000, 1, 1, 1, 1, 1);
                }

                @Override
                public Tensor at(Tensor x, Tensor time) {
                    return activations.run(() -> x.times(0.5).add(x.tanh().mul(time)).sub(towards));
                }
            };
        }
    }

    /// Two classes: whether the second half of the picture is lighter than the first.
    record ToyClassifier(VideoFormat video) implements Classifier {

        @Override
        public List<String> classes() {
            return List.of("left", "right");
        }

        @Override
        public Clip clip() {
            return new Clip(2, 2);
        }

        @Override
        public Tensor logits(Tensor video, int offset) {
            var x = clip().of(video, offset);
            var left = x.slice(4, 0, 8).mean();
            var right = x.slice(4, 8, 16).mean();
            return Tensor.stack(List.of(left, right)).reshape(1, 2).times(40);
        }
    }

    static final ToyClassifier CLASSIFIER = new ToyClassifier(FORMAT);

    /// A video that is lighter on the left.
    static Video lighterLeft() {
        var rgb = new byte[PIXELS];
        for (int i = 0; i < rgb.length; i++) rgb[i] = (byte) (i / 3 % 16 < 8 ? 140 : 120);
        return new Video(5, 16, 16, 8, rgb);
    }

    static final Question WHY_LEFT = new Question(lighterLeft(), 0, 1);
}
