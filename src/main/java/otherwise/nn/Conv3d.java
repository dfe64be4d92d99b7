package otherwise.nn;

import otherwise.tensor.Conv3d.Geometry;
import otherwise.tensor.Tensor;

/// A 3-D convolution `[B, in, T, H, W]` → `[B, out, T', H', W']`. weight `[out, in, kT, kH, kW]` · bias `[out]`.
public record Conv3d(Tensor weight, Tensor bias) {

    public static Conv3d load(Weights w, long in, long out, long kernelT, long kernelH, long kernelW) {
        return new Conv3d(w.tensor("weight", out, in, kernelT, kernelH, kernelW), w.tensor("bias", out));
    }

    /// With the strides and zero padding of `geometry`.
    public Tensor forward(Tensor x, Geometry geometry) {
        return x.conv3d(weight, bias, geometry);
    }

    /// With stride = kernel and no padding: every patch of the input becomes one vector.
    public Tensor patches(Tensor x) {
        return forward(x, Geometry.patches((int) weight.dim(2), (int) weight.dim(3), (int) weight.dim(4)));
    }
}
