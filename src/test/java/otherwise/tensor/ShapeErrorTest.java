package otherwise.tensor;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import otherwise.backend.ShapeException;
import otherwise.support.Reference;

/// Shapes that do not fit are refused with both of them in the message.
class ShapeErrorTest {
    private final Reference reference = new Reference();

    private Tensor x(long... dims) {
        return Tensor.zeros(reference, dims);
    }

    private static void refuses(Executable call, String... parts) {
        var message = assertThrows(ShapeException.class, call).getMessage();
        for (var part : parts) assertTrue(message.contains(part), () -> "'" + message + "' lacks '" + part + "'");
    }

    @Test
    void bothShapesAreNamed() {
        refuses(() -> x(2, 3).add(x(4)), "add", "[2, 3]", "[4]");
        refuses(() -> x(2, 3).matmul(x(4, 5)), "matmul", "[2, 3]", "[4, 5]");
        refuses(() -> x(2, 3, 4).matmul(x(3, 4, 5)), "matmul", "[2, 3, 4]", "[3, 4, 5]");
        refuses(() -> x(2, 3).linear(x(4, 5), null), "linear", "[2, 3]", "[4, 5]");
        refuses(() -> x(2, 3).linear(x(4, 3), x(3)), "linear", "[4, 3]", "[3]");
        refuses(() -> x(1, 2, 3, 4, 5).conv3d(x(6, 3, 1, 1, 1), null, Conv3d.Geometry.causal(1, 1, 1)), "conv3d", "[1, 2, 3, 4, 5]",
                "[6, 3, 1, 1, 1]");
        refuses(() -> x(1, 2, 1, 1, 1).conv3d(x(6, 2, 2, 2, 2), null, Conv3d.Geometry.patches(2, 2, 2)), "conv3d", "[1, 2, 1, 1, 1]",
                "[6, 2, 2, 2, 2]");
        refuses(() -> x(1, 2, 3, 4).attention(x(1, 5, 3, 5), x(1, 5, 3, 5), 1, null), "attention", "[1, 2, 3, 4]", "[1, 5, 3, 5]");
        refuses(() -> x(1, 2, 3, 4).attention(x(1, 5, 3, 4), x(1, 5, 3, 4), 1, new long[] {6}), "attention", "6", "5");
        refuses(() -> x(2, 3).layerNorm(x(4), null, 1e-5), "layer_norm", "[2, 3]", "[4]");
        refuses(() -> x(2, 3, 4).modulatedNorm(x(2, 1, 4), x(1, 1, 4), 1e-5), "modulated_norm", "[2, 3, 4]", "[1, 1, 4]");
        refuses(() -> x(2, 3, 4).addLinear(null, x(2, 2, 5), x(4, 5), null), "residual_linear", "[2, 3, 4]", "[2, 2, 5]");
        refuses(() -> x(2, 3, 4).addLinear(x(2, 3, 4), x(2, 3, 5), x(4, 5), null), "residual_linear", "[2, 3, 4]");
        refuses(() -> x(2, 3).rmsNorm(x(4), 1e-5), "rms_norm", "[2, 3]", "[4]");
        refuses(() -> x(2, 3, 4).channelNorm(x(4)), "channel_norm", "[2, 3, 4]", "[4]");
        refuses(() -> x(1, 2, 3, 4).rope(x(2, 3), x(2, 3)), "rope", "[1, 2, 3, 4]", "[2, 3]");
        refuses(() -> x(1, 2, 3, 4).rmsNormRope(x(4), 1e-5, x(2, 2), x(2, 2)), "rms_norm_rope", "[1, 2, 3, 4]", "[4]");
        refuses(() -> x(1, 2, 3, 4).rmsNormRope(x(12), 1e-5, x(2, 3), x(2, 3)), "rms_norm_rope", "[1, 2, 3, 4]", "[2, 3]");
        refuses(() -> x(2, 3).reshape(4, 2), "reshape", "[2, 3]", "[4, 2]");
        refuses(() -> x(2, 3).expand(2, 4), "expand", "[2, 3]", "[2, 4]");
        refuses(() -> Tensor.concat(0, x(2, 3), x(2, 4)), "concat", "[2, 3]", "[2, 4]");
        refuses(() -> x(2, 3).permute(0, 0), "permute", "[0, 0]", "[2, 3]");
        refuses(() -> x(2, 3).slice(1, 2, 4), "slice", "2 to 4", "[2, 3]");
        refuses(() -> x(2, 3).chunk(2, 1), "chunk", "[2, 3]");
        refuses(() -> x(2, 3).crossEntropy(0), "cross_entropy", "[2, 3]", "[1]");
        refuses(() -> x(2, 3).crossEntropy(0, 3), "no class 3", "[2, 3]");
        refuses(() -> x(2, 3).gatherRows(x(2)), "gather_rows", "f64[2]");
        refuses(() -> x(2, 3).item(), "[2, 3]");
        refuses(() -> Tensor.of(reference, new float[5], 2, 3), "5", "[2, 3]");
    }
}
