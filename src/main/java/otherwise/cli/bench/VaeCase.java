package otherwise.cli.bench;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import otherwise.autograd.Activations;
import otherwise.autograd.Gradients;
import otherwise.backend.DType;
import otherwise.backend.dry.DryBackend;
import otherwise.backend.dry.Work;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanVae;
import otherwise.models.wan.WanVaeConfig;
import otherwise.nn.Inventory;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// Wan2.1's autoencoder decodes, and the way goes back to the latent. What its layers compute is not kept but computed again on the way
/// back: kept, it would fill more than 80 GB at 33×512×512.
final class VaeCase {
    private VaeCase() {}

    static Cases.Case of(String name, WanVaeConfig config, long frames, long height, long width) {
        long stride = config.spatialStride();
        var inputs = new ArrayList<Array>(List.of(
                Array.normal("z", 1, 1, config.zDim(), 1 + (frames - 1) / config.temporalStride(), height / stride, width / stride),
                Array.normal("dy", 1, 1, 3, frames, height, width)));
        Inventory.of(w -> WanVae.load(w, config, LatentScale.wan2_1())).forEach((weight, shape) -> {
            if (weight.endsWith("gamma")) inputs.add(Array.normal(weight, 0.1, shape.dims()).around(1));
            else if (shape.rank() == 1) inputs.add(Array.normal(weight, 0.02, shape.dims()));
            else inputs.add(Array.normal(weight, 1 / Math.sqrt(shape.product(1, shape.rank())), shape.dims()));
        });
        var numbers = numbers(config);
        return new Cases.Case(
                name, "vae_decode",
                "decoder of dim %d, %d×%d×%d, forward and gradient to the latent".formatted(config.dim(), frames, height, width),
                operations(inputs, numbers), 0, inputs, numbers, 0.7, 1);
    }

    private static Map<String, Long> numbers(WanVaeConfig config) {
        var numbers = new HashMap<String, Long>(Map.of(
                "dim", (long) config.dim(), "z", (long) config.zDim(), "residuals", (long) config.numResBlocks(), "levels",
                (long) config.dimMult().size()));
        for (int i = 0; i < config.dimMult().size(); i++) numbers.put("multiple" + i, (long) config.dimMult().get(i));
        for (int i = 1; i < config.dimMult().size(); i++) numbers.put("doubles" + i, config.temperalDownsample().get(i - 1) ? 1L : 0L);
        return numbers;
    }

    /// The autoencoder of these weights.
    static WanVae load(Map<String, Tensor> given, Map<String, Long> numbers) {
        int levels = Math.toIntExact(numbers.get("levels"));
        var config = new WanVaeConfig(
                Math.toIntExact(numbers.get("dim")), Math.toIntExact(numbers.get("z")),
                IntStream.range(0, levels).mapToObj(i -> Math.toIntExact(numbers.get("multiple" + i))).toList(),
                Math.toIntExact(numbers.get("residuals")), List.of(),
                IntStream.range(1, levels).mapToObj(i -> numbers.get("doubles" + i) != 0).toList());
        return WanVae.load(Weights.of(given), config, LatentScale.wan2_1());
    }

    /// z `[1, z, t, h, w]` → the video, and the gradient of z where the video's is dy
    static List<Tensor> run(WanVae vae, Tensor z, Tensor dy) {
        var video = vae.decode(z, Activations.RECOMPUTE);
        return List.of(video.detach(), Gradients.of(video, dy).to(z));
    }

    /// As a device counts them that computes nothing: the second computation of every layer as well.
    private static double operations(List<Array> inputs, Map<String, Long> numbers) {
        try (var dry = new DryBackend(DType.F32, () -> ""); var _ = dry.scope()) {
            var given = new HashMap<String, Tensor>();
            for (var array : inputs) given.put(array.name(), array.on(dry));
            var _ = run(load(given, numbers), given.get("z").variable(), given.get("dy"));
            return dry.work().values().stream().mapToDouble(Work::products).sum();
        }
    }
}
