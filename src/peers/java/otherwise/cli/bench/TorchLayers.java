package otherwise.cli.bench;

import java.util.Map;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/// Layers over named weights, as PyTorch's functional interface has them.
record TorchLayers(Map<String, Tensor> given) {

    Tensor get(String name) {
        var found = given.get(name);
        if (found == null) throw new IllegalArgumentException("the benchmark has no input '" + name + "'");
        return found;
    }

    private TensorOptional perhaps(String name) {
        var found = given.get(name);
        return found == null ? new TensorOptional() : new TensorOptional(found);
    }

    Tensor linear(String name, Tensor x) {
        return torch.linear(x, get(name + ".weight"), perhaps(name + ".bias"));
    }

    Tensor layerNorm(String name, Tensor x, double eps) {
        return torch.layer_norm(x, new long[] {x.size(x.dim() - 1)}, perhaps(name + ".weight"), perhaps(name + ".bias"), eps, true);
    }

    Tensor rmsNorm(String name, Tensor x, double eps) {
        return torch.rms_norm(x, new long[] {x.size(x.dim() - 1)}, perhaps(name + ".weight"), new DoubleOptional(eps));
    }

    Tensor conv3d(String name, Tensor x, long... stride) {
        return torch.conv3d(x, get(name + ".weight"), perhaps(name + ".bias"), stride, new long[3], new long[] {1, 1, 1}, 1);
    }

    static Tensor pad(Tensor x, long... lastAxisFirst) {
        return torch.constant_pad_nd(x, lastAxisFirst, new Scalar(0.0));
    }

    static Tensor cat(long axis, Tensor... parts) {
        return torch.cat(new TensorVector(parts), axis);
    }

    static Tensor plus(Tensor x, double c) {
        return x.add(new Scalar(c));
    }

    static Tensor times(Tensor x, double c) {
        return x.mul(new Scalar(c));
    }

    /// `[B, L, C]` → `[B, L, N, D]`
    static Tensor split(Tensor x, long n) {
        return x.view(x.size(0), x.size(1), n, x.size(2) / n);
    }

    /// `[B, L, N, D]` each → `[B, L, C]`
    static Tensor attend(Tensor q, Tensor k, Tensor v) {
        var y = torch.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2);
        return y.reshape(y.size(0), y.size(1), y.size(2) * y.size(3));
    }
}
