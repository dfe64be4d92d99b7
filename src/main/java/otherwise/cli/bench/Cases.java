package otherwise.cli.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import otherwise.explain.ModelFiles;
import otherwise.models.wan.WanVaeConfig;

/// What is measured.
final class Cases {

    /// Cases that are measured together.
    enum Suite {
        /// What matters in Wan2.1 1.3B and in its autoencoder, at sizes for a processor.
        CPU,
        /// Wan2.1 14B and its autoencoder at 33 frames of 512×512 pixels, which are 9,216 tokens: for large GPUs.
        GPU,
        /// The same as in [#GPU], small enough for a test.
        TINY
    }

    /// @param flops floating-point operations of one run; 0 where memory and not arithmetic is the limit
    /// @param moved elements that one run must at least read and write, where memory is the limit; otherwise 0
    /// @param must the least speed relative to libtorch
    /// @param aim the speed to aim at
    record Case(
            String name, String kind, String what, double flops, double moved, List<Array> inputs, Map<String, Long> numbers, double must,
            double aim) {}

    @FunctionalInterface
    private interface Maker {
        Case of(String name, ModelFiles files) throws IOException;
    }

    private record Entry(Suite suite, String name, Maker maker) {}

    private static final List<Entry> ALL = List.of(
            new Entry(Suite.CPU, "matmul-1536", (name, _) -> matmul(name, 1536, 1536, 1536)),
            new Entry(Suite.CPU, "matmul-3072", (name, _) -> matmul(name, 3072, 1536, 1536)),
            new Entry(Suite.CPU, "conv3d", (name, _) -> conv3d(name)),
            new Entry(Suite.CPU, "attention", (name, _) -> attention(name, 8, 2048, 64, true)),
            new Entry(Suite.CPU, "layer-norm", (name, _) -> rows(name, "layer_norm", 4096, 1536)),
            new Entry(Suite.CPU, "gelu", (name, _) -> rows(name, "gelu", 4096, 1536)),
            new Entry(Suite.CPU, "softmax", (name, _) -> rows(name, "softmax", 4096, 1536)),
            // One latent frame of 480×832 pixels.
            new Entry(Suite.CPU, "wan-block", (name, _) -> wanBlock(name, 1536, 12, 8960, 512, 1, 30, 52)),
            new Entry(Suite.CPU, "bttf", (_, files) -> BttfCase.of(files)),

            new Entry(Suite.GPU, "matmul-9216", (name, _) -> matmul(name, 9216, 5120, 5120)),
            new Entry(Suite.GPU, "matmul-4096", (name, _) -> matmul(name, 4096, 4096, 4096)),
            new Entry(Suite.GPU, "attention-9216-forward", (name, _) -> attention(name, 40, 9216, 128, false)),
            new Entry(Suite.GPU, "attention-9216", (name, _) -> attention(name, 40, 9216, 128, true)),
            new Entry(Suite.GPU, "layer-norm-5120", (name, _) -> rows(name, "layer_norm", 9216, 5120)),
            new Entry(Suite.GPU, "gelu-13824", (name, _) -> rows(name, "gelu", 9216, 13824)),
            new Entry(Suite.GPU, "wan-block-1.3b", (name, _) -> wanBlock(name, 1536, 12, 8960, 512, 9, 32, 32)),
            new Entry(Suite.GPU, "wan-block-14b", (name, _) -> wanBlock(name, 5120, 40, 13824, 512, 9, 32, 32)),
            new Entry(Suite.GPU, "vae-decode", (name, _) -> VaeCase.of(name, WanVaeConfig.wan2_1(), 33, 512, 512)),

            new Entry(Suite.TINY, "tiny-matmul", (name, _) -> matmul(name, 18, 10, 10)),
            new Entry(Suite.TINY, "tiny-attention-forward", (name, _) -> attention(name, 2, 18, 32, false)),
            new Entry(Suite.TINY, "tiny-attention", (name, _) -> attention(name, 2, 18, 32, true)),
            new Entry(Suite.TINY, "tiny-layer-norm", (name, _) -> rows(name, "layer_norm", 18, 64)),
            new Entry(Suite.TINY, "tiny-gelu", (name, _) -> rows(name, "gelu", 18, 64)),
            new Entry(Suite.TINY, "tiny-wan-block", (name, _) -> wanBlock(name, 64, 2, 96, 5, 2, 3, 3)),
            new Entry(Suite.TINY, "tiny-vae-decode", (name, _) -> VaeCase.of(
                    name, new WanVaeConfig(4, 16, List.of(1, 2), 1, List.of(), List.of(true)), 3, 4, 4)));

    private Cases() {}

    static List<String> names(Suite suite) {
        return ALL.stream().filter(e -> e.suite == suite).map(Entry::name).toList();
    }

    /// @param files the models of the case `bttf`
    /// @throws IllegalArgumentException if there is no such case; the message names them all
    static Case named(String name, ModelFiles files) throws IOException {
        for (var entry : ALL) if (entry.name.equals(name)) return entry.maker.of(name, files);
        var names = ALL.stream().map(Entry::name).toList();
        throw new IllegalArgumentException("no case '" + name + "'; there are: " + String.join(", ", names));
    }

    private static Case matmul(String name, long m, long n, long k) {
        return new Case(
                name, "matmul", String.format(Locale.ROOT, "%d×%d · %d×%d", m, k, k, n), 2.0 * m * n * k, 0,
                List.of(Array.normal("a", 1, m, k), Array.normal("b", 1, k, n)), Map.of(), 0.75, 0.95);
    }

    private static Case conv3d(String name) {
        long c = 96;
        long outputs = 5L * 64 * 64;
        return new Case(
                name, "conv3d", "3×3×3, 96→96, 5×64×64, forward and both gradients", 3 * 2.0 * outputs * c * c * 27, 0,
                List.of(
                        Array.normal("x", 1, 1, c, 5, 64, 64),
                        Array.normal("weight", 0.02, c, c, 3, 3, 3),
                        Array.normal("bias", 0.1, c),
                        Array.normal("dy", 1, 1, c, 5, 64, 64)),
                Map.of(), 0.7, 1);
    }

    private static Case attention(String name, long heads, long l, long d, boolean back) {
        var inputs = new ArrayList<Array>();
        for (var part : back ? List.of("q", "k", "v", "dy") : List.of("q", "k", "v")) inputs.add(Array.normal(part, 1, 1, l, heads, d));
        // Two products forward, five backward (one of them computes the scores again).
        return new Case(
                name, back ? "attention" : "attention_forward", String.format(Locale.ROOT, "%d heads × %,d × %d, forward%s", heads, l, d, back ? " and gradients" : ""),
                (back ? 7 : 2) * 2.0 * heads * l * l * d, 0, inputs, Map.of(), 0.8, 1);
    }

    private static Case rows(String name, String kind, long rows, long c) {
        var inputs = new ArrayList<Array>(List.of(Array.normal("x", 1, rows, c), Array.normal("dy", 1, rows, c)));
        if (kind.equals("layer_norm")) {
            inputs.add(Array.normal("weight", 0.1, c).around(1));
            inputs.add(Array.normal("bias", 0.1, c));
        }
        // Forward reads and writes; back there is one array more to read.
        return new Case(name, kind, String.format(Locale.ROOT, "%,d×%,d, forward and gradient to the input", rows, c), 0, 5.0 * rows * c, inputs, Map.of(), 0.8, 1);
    }

    /// One block of a Wan transformer with its weights frozen.
    private static Case wanBlock(String name, long c, long heads, long f, long text, long frames, long rows, long columns) {
        long l = frames * rows * columns;
        var inputs = new ArrayList<Array>(List.of(
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
            for (var norm : List.of("norm_q", "norm_k")) inputs.add(Array.normal(attention + "." + norm + ".weight", 0.1, c).around(1));
        }
        inputs.add(Array.normal("norm3.weight", 0.1, c).around(1));
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
                name, "wan_block", String.format(Locale.ROOT, "dim %d, %d heads, %,d tokens, forward and gradient to the tokens", c, heads, l),
                tokens + keys + scores, 0, inputs, Map.of("heads", heads, "frames", frames, "rows", rows, "columns", columns), 0.7, 1);
    }
}
