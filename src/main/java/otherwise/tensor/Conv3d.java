package otherwise.tensor;

import java.util.ArrayList;
import java.util.List;
import otherwise.backend.ConvSpec;
import otherwise.backend.Shape;
import otherwise.backend.ShapeException;

/// A 3-D convolution; formula in [ConvSpec].
///
/// x `[B, C, T, H, W]` · weight `[O, C, kT, kH, kW]` · bias `[O]` or `null` → `[B, O, T', H', W']`
public record Conv3d(Tensor x, Tensor weight, Tensor bias, ConvSpec spec) implements Op {

    /// Strides, and zeros before and after along time, height and width.
    public record Geometry(
            int strideT, int strideH, int strideW, int frontT, int backT, int frontH, int backH, int frontW, int backW) {

        /// Kernel = stride, no padding: cuts the input into patches.
        public static Geometry patches(int t, int h, int w) {
            return new Geometry(t, h, w, 0, 0, 0, 0, 0, 0);
        }

        /// Stride 1, output as large as the input; time is padded in front only, so that no frame sees the future.
        public static Geometry causal(int kernelT, int kernelH, int kernelW) {
            int h = kernelH / 2;
            int w = kernelW / 2;
            return new Geometry(1, 1, 1, kernelT - 1, 0, h, h, w, w);
        }
    }

    static Tensor forward(Tensor x, Tensor weight, Tensor bias, Geometry g) {
        var d = Dims.of("conv3d", "B C T H W", x).and("O C kT kH kW", weight).and("O", bias);
        var spec = new ConvSpec(
                d.get("B"), d.get("C"), d.get("O"), d.get("T"), d.get("H"), d.get("W"), (int) d.get("kT"), (int) d.get("kH"),
                (int) d.get("kW"), g.strideT, g.strideH, g.strideW, g.frontT, g.backT, g.frontH, g.backH, g.frontW, g.backW);
        if (spec.outT() < 1 || spec.outH() < 1 || spec.outW() < 1) {
            throw new ShapeException("conv3d: " + x.shape() + " is smaller than the kernel " + weight.shape());
        }
        var y = Tensor.blank(x.backend(), Shape.of(spec.batch(), spec.outputs(), spec.outT(), spec.outH(), spec.outW()));
        x.backend().conv3d(y.data(), x.data(), weight.data(), bias == null ? null : bias.data(), spec);
        return y.madeBy(new Conv3d(x, weight, bias, spec));
    }

    @Override
    public List<Tensor> inputs() {
        var inputs = new ArrayList<>(List.of(x, weight));
        if (bias != null) inputs.add(bias);
        return inputs;
    }

    @Override
    public List<Tensor> saved() {
        return weight.requiresGrad() ? List.of(x, weight) : List.of(weight);
    }

    @Override
    public void backward(Tensor dy, Flow flow) {
        flow.into(x, () -> {
            var dx = x.blankLike();
            x.backend().conv3dToInput(dx.data(), dy.data(), weight.data(), spec);
            return dx;
        });
        boolean toBias = bias != null && flow.wants(bias);
        if (!flow.wants(weight) && !toBias) return;
        var dweight = weight.blankLike();
        var dbias = toBias ? bias.blankLike() : null;
        x.backend().conv3dToWeight(dweight.data(), toBias ? dbias.data() : null, dy.data(), x.data(), spec);
        flow.into(weight, () -> dweight);
        if (toBias) flow.into(bias, () -> dbias);
    }
}
