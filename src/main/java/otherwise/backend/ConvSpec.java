package otherwise.backend;

/// The sizes of a 3-D convolution (cross-correlation, as in every deep-learning library).
///
///     y[b, o, t, h, w] = bias[o] + Σ x[b, i, t·strideT + dt − frontT, h·strideH + dh − frontH, w·strideW + dw − frontW] · weight[o, i, dt, dh, dw]
///
/// x `[batch, inputs, T, H, W]` · weight `[outputs, inputs, kernelT, kernelH, kernelW]` · y `[batch, outputs, outT(), outH(), outW()]`.
/// Reads outside of x give 0: `front…` counts zeros before, `back…` zeros after each axis. A causal convolution pads time in front
/// only; a 2-D convolution has `kernelT = 1`.
public record ConvSpec(
        long batch,
        long inputs,
        long outputs,
        long t,
        long h,
        long w,
        int kernelT,
        int kernelH,
        int kernelW,
        int strideT,
        int strideH,
        int strideW,
        int frontT,
        int backT,
        int frontH,
        int backH,
        int frontW,
        int backW) {

    public long outT() {
        return Math.floorDiv(t + frontT + backT - kernelT, strideT) + 1;
    }

    public long outH() {
        return Math.floorDiv(h + frontH + backH - kernelH, strideH) + 1;
    }

    public long outW() {
        return Math.floorDiv(w + frontW + backW - kernelW, strideW) + 1;
    }

    /// Weights of one output channel.
    public long taps() {
        return inputs * kernelT * kernelH * kernelW;
    }
}
