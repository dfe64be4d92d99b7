package otherwise.cli.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import otherwise.explain.ModelFiles;

/// What is measured. Sizes are those that matter in Wan2.1 1.3B and in its autoencoder.
final class Cases {

    /// @param flops floating-point operations of one run; 0 where memory and not arithmetic is the limit
    /// @param must the least speed relative to libtorch
    /// @param aim the speed to aim at
    record Case(
            String name, String kind, String what, double flops, List<Array> inputs, Map<String, Long> numbers, double must, double aim) {}

    private Cases() {}

    static List<String> names() {
        return List.of("matmul-1536", "matmul-3072", "conv3d", "attention", "layer-norm", "gelu", "softmax", "wan-block", "bttf");
    }

    /// @param files the models of the case `bttf`
    /// @throws IllegalArgumentException if there is no such case; the message names them all
    static Case named(String name, ModelFiles files) throws IOException {
        return switch (name) {
            case "matmul-1536" -> matmul(name, 1536, 1536, 1536);
            case "matmul-3072" -> matmul(name, 3072, 1536, 1536);
            case "conv3d" -> conv3d();
            case "attention" -> attention();
            case "layer-norm" -> rows(name, "layer_norm");
            case "gelu" -> rows(name, "gelu");
            case "softmax" -> rows(name, "softmax");
            case "wan-block" -> wanBlock();
            case "bttf" -> BttfCase.of(files);
            default -> throw new IllegalArgumentException("no case '" + name + "'; there are: " + String.join(", ", names()));
        };
    }

    private static Case matmul(String name, long m, long n, long k) {
        return new Case(
                name, "matmul", "%d×%d · %d×%d".formatted(m, k, k, n), 2.0 * m * n * k,
                List.of(Array.normal("a", 1, m, k), Array.normal("b", 1, k, n)), Map.of(), 0.75, 0.95);
    }

    private static Case conv3d() {
        long c = 96;
        long outputs = 5L * 64 * 64;
        return new Case(
                "conv3d", "conv3d", "3×3×3, 96→96, 5×64×64, forward and both gradients", 3 * 2.0 * outputs * c * c * 27,
                List.of(
                        Array.normal("x", 1, 1, c, 5, 64, 64),
                        Array.normal("weight", 0.02, c, c, 3, 3, 3),
                        Array.normal("bias", 0.1, c),
                        Array.normal("dy", 1, 1, c, 5, 64, 64)),
                Map.of(), 0.7, 1);
    }

    private static Case attention() {
        long l = 2048;
        long heads = 8;
        long d = 64;
        // Two products forward, five backward (one of them computes the scores again).
        return new Case(
                "attention", "attention", "8 heads × 2,048 × 64, forward and gradients", 7 * 2.0 * heads * l * l * d,
                List.of(
                        Array.normal("q", 1, 1, l, heads, d),
                        Array.normal("k", 1, 1, l, heads, d),
                        Array.normal("v", 1, 1, l, heads, d),
                        Array.normal("dy", 1, 1, l, heads, d)),
                Map.of(), 0.8, 1);
    }

    private static Case rows(String name, String kind) {
        var inputs = new ArrayList<>(List.of(Array.normal("x", 1, 4096, 1536), Array.normal("dy", 1, 4096, 1536)));
        if (kind.equals("layer_norm")) {
            inputs.add(Array.normal("weight", 0.1, 1536).plus(1));
            inputs.add(Array.normal("bias", 0.1, 1536));
        }
        return new Case(name, kind, "4,096×1,536, forward and gradient to the input", 0, inputs, Map.of(), 0.8, 1);
    }

    /// One block of Wan2.1 1.3B on 1,560 tokens: one latent frame of 480×832 pixels.
    private static Case wanBlock() {
        long l = 1560;
        long c = 1536;
        long f = 8960;
        long text = 512;
        long heads = 12;
        var inputs = new ArrayList<>(List.of(
                Array.normal("x", 1, 1, l, c),
                Array.normal("e", 0.5, 1, 6, c),
                Array.normal("text", 1, 1, text, c),
                Array.normal("dy", 1, 1, l, c),
                Array.normal("modulation", 0.02, 1, 6, c)));
        for (var attention : List.of("self_attn", "cross_attn")) {
            for (var part : List.of("q", "k", "v", "o")) {
                inputs.add(Array.normal(attention + "." + part + ".weight", 0.02, c, c));
                inputs.add(Array.normal(attention + "." + part + ".bias", 0.02, c));
            }
            for (var norm : List.of("norm_q", "norm_k")) inputs.add(Array.normal(attention + "." + norm + ".weight", 0.1, c).plus(1));
        }
        inputs.add(Array.normal("norm3.weight", 0.1, c).plus(1));
        inputs.add(Array.normal("norm3.bias", 0.02, c));
        inputs.add(Array.normal("ffn.0.weight", 0.02, f, c));
        inputs.add(Array.normal("ffn.0.bias", 0.02, f));
        inputs.add(Array.normal("ffn.2.weight", 0.02, c, f));
        inputs.add(Array.normal("ffn.2.bias", 0.02, c));
        // Products with the tokens forward and back to them; the text's keys and values forward alone.
        double tokens = 2 * 2.0 * l * c * (6 * c + 2 * f);
        double keys = 2 * 2.0 * text * c * c;
        double scores = 2.0 * l * (l * c * 7 + text * c * 5);
        return new Case(
                "wan-block", "wan_block", "dim 1536, 12 heads, 1,560 tokens, forward and gradient to the tokens", tokens + keys + scores,
                inputs,
                Map.of("heads", heads, "frames", 1L, "rows", 30L, "columns", 52L), 0.7, 1);
    }
}
