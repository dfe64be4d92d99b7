package otherwise.cli.verify;

import java.util.List;
import otherwise.models.wan.LatentScale;

/// The latent statistics published with Wan2.1 against those that we carry.
final class WanVaeConstantsCheck implements Check {

    @Override
    public List<String> kinds() {
        return List.of("wan_vae_constants");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        var ours = LatentScale.wan2_1();
        compare(comparison, "in/mean", ours.mean());
        compare(comparison, "in/std", ours.std());
        compare(comparison, "in/inv_std", ours.inverse());
    }

    private static void compare(Comparison comparison, String name, List<Float> values) {
        comparison.compare(name, values.stream().mapToDouble(Float::doubleValue).toArray(), values.size());
    }
}
