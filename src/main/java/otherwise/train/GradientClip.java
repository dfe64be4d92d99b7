package otherwise.train;

import java.util.List;
import otherwise.tensor.Tensor;

/// Shortens gradients that together are too long, keeping their direction (Pascanu et al. 2013; PyTorch's `clip_grad_norm_`).
///
///     g ← g · min(1, limit / (‖g‖ + 1e-6))        ‖g‖ over all gradients as one vector
///
/// @param gradients after clipping
/// @param norm before clipping; not finite if a gradient is not
public record GradientClip(List<Tensor> gradients, double norm) {

    public GradientClip {
        gradients = List.copyOf(gradients);
    }

    /// Clips to at most `limit`.
    ///
    /// @throws IllegalArgumentException if `limit` is not positive
    public static GradientClip to(double limit, List<Tensor> gradients) {
        if (!(limit > 0)) throw new IllegalArgumentException("the gradients' norm must be limited by a positive number, not " + limit);
        double norm = norm(gradients);
        double scale = limit / (norm + 1e-6);
        return new GradientClip(scale >= 1 ? gradients : gradients.stream().map(g -> g.times(scale)).toList(), norm);
    }

    /// √Σ g², over all elements of all tensors.
    public static double norm(List<Tensor> gradients) {
        double squares = 0;
        for (var g : gradients) squares += g.detach().square().sum().item();
        return Math.sqrt(squares);
    }
}
