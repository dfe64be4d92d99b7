package otherwise.cli.bench;

import static otherwise.cli.bench.TorchLayers.plus;
import static otherwise.cli.bench.TorchLayers.times;

import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/// The loss of one iteration of the explanation: n Euler steps, decoder, classifier, cross-entropy and style.
final class BttfInTorch implements Supplier<Tensor> {
    private final TorchLayers layers;
    private final Map<String, Long> numbers;
    private final WanInTorch wan;
    private final VaeInTorch vae;
    private final SwinInTorch swin;

    BttfInTorch(Map<String, Tensor> given, Map<String, Long> numbers) {
        this.layers = new TorchLayers(given);
        this.numbers = numbers;
        var z = given.get("z");
        long dim = given.get("dit.head.modulation").size(2);
        long heads = numbers.get("heads");
        wan = WanInTorch.of(layers, heads, dim / heads, z.size(2), z.size(3) / 2, z.size(4) / 2);
        vae = new VaeInTorch(layers, "vae.", numbers.get("residuals").intValue());
        int stages = numbers.get("stages").intValue();
        var depths = new int[stages];
        var counts = new long[stages];
        for (int i = 0; i < stages; i++) {
            depths[i] = numbers.get("depth" + i).intValue();
            counts[i] = numbers.get("heads" + i);
        }
        swin = new SwinInTorch(layers, "swin.", depths, counts, numbers.get("window").intValue());
    }

    @Override
    public Tensor get() {
        var x = layers.get("z");
        int steps = numbers.get("steps").intValue();
        int blocks = numbers.get("blocks").intValue();
        var sigmas = layers.get("sigmas");
        for (int i = 0; i < steps; i++) {
            var time = layers.get("times").narrow(0, i, 1);
            var v = wan.velocity("dit.", blocks, x, time, layers.get("told"), layers.get("text"), layers.get("image"));
            x = x.add(v.mul(sigmas.narrow(0, i + 1, 1).sub(sigmas.narrow(0, i, 1))));
        }
        var video = vae.decode(x);
        long frames = numbers.get("frames");
        var clip = video.narrow(2, 0, 2 * frames).unflatten(2, frames, 2).select(3, 0);
        var normal = plus(times(clip, 0.5), 0.5).sub(layers.get("mean")).div(layers.get("deviation"));
        var probabilities = torch.log_softmax(swin.logits(normal), 1);
        var loss = probabilities.select(1, numbers.get("target")).neg();
        return loss.add(times(gram(video).sub(layers.get("gram")).square().mean(), numbers.get("lambda")));
    }

    private static Tensor gram(Tensor video) {
        long pixels = video.size(3) * video.size(4);
        var frames = plus(times(video, 0.5), 0.5).view(3, video.size(2), pixels).permute(1, 0, 2);
        return times(torch.matmul(frames, frames.transpose(1, 2)), 1.0 / (3 * pixels));
    }
}
