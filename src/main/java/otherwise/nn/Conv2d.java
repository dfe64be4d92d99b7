package otherwise.nn;

import otherwise.tensor.Conv3d.Geometry;
import otherwise.tensor.Tensor;

/// A 2-D convolution of every frame: `[B, in, T, H, W]` → `[B, out, T, H', W']`. weight `[out, in, kH, kW]` · bias `[out]`.
public record Conv2d(Tensor weight, Tensor bias) {

    public static Conv2d load(Weights w, long in, long out, long kernelH, long kernelW) {
        return new Conv2d(w.tensor("weight", out, in, kernelH, kernelW), w.tensor("bias", out));
    }

    /// @param stride along height and width
    /// @param before zeros above and left
    /// @param after zeros below and right
    public Tensor forward(Tensor x, int stride, int before, int after) {
        var frameByFrame = weight.reshape(weight.dim(0), weight.dim(1), 1, weight.dim(2), weight.dim(3));
        return x.conv3d(frameByFrame, bias, new Geometry(1, stride, stride, 0, 0, before, after, before, after));
    }
}
