package otherwise.cli.verify;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import otherwise.autograd.Gradients;
import otherwise.autograd.Graphed;
import otherwise.backend.Backend;
import otherwise.backend.Backend.Unary;
import otherwise.backend.DType;
import otherwise.backend.Shape;
import otherwise.tensor.Conv3d.Geometry;
import otherwise.tensor.Random;
import otherwise.tensor.Tensor;

/// What a device computes beside what the CPU computes of the same numbers, operation by operation, gradients included.
///
/// For a device that is new: golden files hold small networks, and many kernels of a GPU begin to serve only where there is much to do. Random
/// numbers have as many digits as the device keeps, so that both begin with the same.
public final class OperationsCheck {
    private static final long SEED = 20251125;

    private final Backend device;
    private final Backend cpu;
    private final double limit;

    /// @param cpu a device of `F32`, whose results count as right
    public OperationsCheck(Backend device, Backend cpu) {
        this.device = device;
        this.cpu = cpu;
        // One rounding of what is stored, and of what is multiplied; a gradient passes through several.
        limit = Math.max(1e-4, Math.scalb(4.0, -device.digits()));
    }

    /// An input: standard normal numbers times `scale`.
    private record Input(String name, double scale, long... dims) {}

    /// An operation, and what it is given.
    private record Case(String name, Function<List<Tensor>, Tensor> f, Input... inputs) {}

    /// Runs all of them and prints a line for each, as they come.
    ///
    /// @param small whether to do with what takes a slow device seconds: not every kernel serves then
    /// @return whether all agree
    public boolean run(PrintWriter out, boolean small) {
        var cases = cases(small);
        int failed = 0;
        for (int i = 0; i < cases.size(); i++) {
            var c = cases.get(i);
            var lines = compare(c, i);
            boolean ok = lines.stream().allMatch(Line::ok);
            if (!ok) failed++;
            out.println(String.format(Locale.ROOT, "  %-24s %-4s ", c.name, ok ? "ok" : "FAIL") + String.join("  ",
                    lines.stream().map(line -> String.format(Locale.ROOT, "%s %.1e", line.what, line.error)).toList()));
            out.flush();
        }
        out.println(String.format(Locale.ROOT, "operations: %s, %d of %d agree, limit %.1e", failed == 0 ? "ok" : "FAIL",
                cases.size() - failed, cases.size(), limit));
        return failed == 0;
    }

    /// max|a − b| / max|b| of a result or a gradient.
    private record Line(String what, double error, boolean ok) {}

    private List<Line> compare(Case c, int number) {
        var names = new ArrayList<>(List.of("y"));
        for (var input : c.inputs) names.add("d" + input.name);
        var found = results(c, number, device);
        var expected = results(c, number, cpu);
        var lines = new ArrayList<Line>();
        for (int i = 0; i < found.size(); i++) {
            double error = error(found.get(i), expected.get(i));
            lines.add(new Line(names.get(i), error, error <= limit));
        }
        return lines;
    }

    private static double error(double[] found, double[] expected) {
        double worst = 0;
        double largest = 0;
        for (int i = 0; i < expected.length; i++) {
            double off = Math.abs(found[i] - expected[i]);
            worst = Math.max(worst, Double.isNaN(off) ? Double.POSITIVE_INFINITY : off);
            largest = Math.max(largest, Math.abs(expected[i]));
        }
        return largest == 0 ? worst : worst / largest;
    }

    /// The result, and the gradients to all inputs of its product with random numbers.
    private List<double[]> results(Case c, int number, Backend backend) {
        try (var _ = backend.scope()) {
            var random = Random.philox(SEED, number);
            var inputs = new ArrayList<Tensor>();
            for (var input : c.inputs) inputs.add(numbers(random, backend, input.scale, Shape.of(input.dims)).variable());
            var y = c.f.apply(inputs);
            var gradients = Gradients.of(y, numbers(random, backend, 1, y.shape()));
            var all = new ArrayList<double[]>();
            all.add(y.detach().doubles());
            for (var input : inputs) all.add(gradients.to(input).doubles());
            return all;
        }
    }

    private Tensor numbers(Random random, Backend backend, double scale, Shape shape) {
        var values = random.normal(Math.toIntExact(shape.size()));
        for (int i = 0; i < values.length; i++) values[i] = rounded((float) (scale * values[i]), device.digits());
        return Tensor.of(backend, values, shape.dims());
    }

    /// The nearest number of so many binary digits.
    private static float rounded(float v, int digits) {
        if (v == 0 || digits >= DType.F32.digits()) return v;
        float unit = Math.scalb(1f, Math.getExponent(v) + 1 - digits);
        return (float) Math.rint(v / unit) * unit;
    }

    // ---- what is compared -----------------------------------------------------------------------------------------------------------

    private static List<Case> cases(boolean small) {
        int f = small ? 8 : 1;
        var cases = new ArrayList<Case>();
        for (var z : new long[][] {{2048 / f, 1536 / f, 2048 / f}, {1000 / f, 1160 / f, 520}, {77, 53, 35}, {20, 24, 4096}})
            cases.add(linear(z[0], z[1], z[2], null));
        cases.add(linear(2048 / f, 1536 / f, 2048 / f, Unary.GELU_TANH));
        cases.add(linear(333, 72, 100, Unary.SILU));
        cases.add(residual("gated sum", gate -> gate, 2, 1024 / f, 1536 / f, 2048 / f));
        cases.add(residual("gated sum", gate -> gate, 3, 67, 53, 35));
        cases.add(residual("frozen gate", Tensor::detach, 2, 1024 / f, 1536 / f, 2048 / f));
        cases.add(residual("sum", _ -> null, 2, 1024 / f, 1536 / f, 2048 / f));
        cases.add(new Case("matmul, batch", x -> x.get(0).matmul(x.get(1)), in("a", 1, 3, 264, 136), in("b", 0.1, 3, 136, 200)));
        cases.add(convolution("conv 3×3×3 causal", 96 / f, 96, small ? 5 : 9, 56 / f, 64 / f, 3, 3, 3, Geometry.causal(3, 3, 3)));
        cases.add(convolution("conv 1×3×3", small ? 48 : 192, 192, small ? 1 : 2, 112 / f, 128 / f, 1, 3, 3, Geometry.causal(1, 3, 3)));
        cases.add(convolution("conv 1×1×1", small ? 48 : 192, 384, small ? 1 : 2, 112 / f, 128 / f, 1, 1, 1, Geometry.causal(1, 1, 1)));
        cases.add(convolution("conv 1×3×3 of 3", 3, 96, 2, 40, 56, 1, 3, 3, Geometry.causal(1, 3, 3)));
        cases.add(convolution("conv 3×1×1", 40, 72, 6, 28, 16, 3, 1, 1, Geometry.causal(3, 1, 1)));
        cases.add(convolution("conv 1×3×3, stride 2", 48, 64, 2, 33, 47, 1, 3, 3, new Geometry(1, 2, 2, 0, 0, 0, 1, 0, 1)));
        cases.add(convolution("conv, patches", 20, 96, 4, 16, 24, 1, 2, 2, Geometry.patches(1, 2, 2)));
        for (long width : new long[] {32, 64, 128}) {
            cases.add(attention("attention, " + width, 1, 1024 / f + 7, 1024 / f + 7, 4, width, null));
            cases.add(attention("attention to text, " + width, 2, 300 / f, 77, 3, width, new long[] {77, 5}));
            cases.add(windows("window attention, " + width, 4, 392 / f, 3, width));
        }
        rows(cases, 2, 1000 / f, 1536);
        rows(cases, 3, 7, 77);
        // Odd widths, and such as can be moved 16 bytes at a time.
        for (long w : new long[] {19, 24}) {
            var x = in("x", 1, 2, 96, 3, 17, w);
            cases.add(new Case("channel norm, " + w, t -> t.get(0).channelNorm(t.get(1)), x, in("w", 1, 96)));
            cases.add(new Case("channel norm, SiLU, " + w, t -> t.get(0).channelNormSilu(t.get(1)), x, in("w", 1, 96)));
        }
        cases.add(new Case("rope", x -> x.get(0).rope(x.get(1).detach(), x.get(2).detach()), in("x", 1, 2, 100, 6, 64),
                in("cos", 1, 100, 32), in("sin", 1, 100, 32)));
        cases.add(new Case("RMS norm, rope", x -> x.get(0).rmsNormRope(x.get(1), 1e-6, x.get(2).detach(), x.get(3).detach()),
                in("x", 1, 2, 100, 12, 128), in("w", 1, 12 * 128), in("cos", 1, 100, 64), in("sin", 1, 100, 64)));
        for (var g : Unary.values()) {
            // Logarithms and roots of positive numbers, not close to 0.
            boolean positive = g == Unary.LOG || g == Unary.SQRT;
            for (long n : new long[] {100_000, 100_003})
                cases.add(new Case(g.name().toLowerCase(Locale.ROOT) + ", " + n,
                        x -> (positive ? x.get(0).square().plus(1) : x.get(0)).map(g),
                        in("x", 1, n)));
        }
        for (long w : new long[] {9, 16})
            cases.add(new Case("sums along, " + w, x -> x.get(0).mul(x.get(1)).sum(1).add(x.get(0).mean(1)), in("x", 1, 40, 700, w),
                    in("a", 1, 1, 700, 1)));
        cases.add(new Case("moving", x -> Tensor.concat(1, x.get(0).permute(0, 2, 1).pad(2, 1, 2), x.get(0).permute(0, 2, 1).pad(2, 3, 0)),
                in("x", 1, 5, 33, 70)));
        for (long w : new long[] {37, 40}) cases.add(new Case("upsample, " + w, x -> x.get(0).upsample2x(), in("x", 1, 4, 33, w)));
        cases.add(new Case("as a graph", x -> again(x, OperationsCheck::layer), in("x", 1, 2, 100, 64), in("w", 0.125, 64, 64),
                in("b", 1, 64)));
        return cases;
    }

    /// Attention of a few heads to itself, with numbers of the host in it: how many keys there are.
    private static Tensor layer(List<Tensor> x) {
        var q = x.get(0).linear(x.get(1), x.get(2), Unary.GELU_TANH).reshape(2, 100, 2, 32);
        return q.attention(q, q, 1 / Math.sqrt(32), new long[] {100, 37}).reshape(2, 100, 64).add(x.get(0)).layerNorm(null, null, 1e-6);
    }

    /// What a device that takes work down does of it the second time, with other numbers than the first.
    private static Tensor again(List<Tensor> x, Function<List<Tensor>, Tensor> f) {
        if (!x.getFirst().backend().records()) return f.apply(x);
        var graphed = new Graphed(f);
        var first = graphed.of(x.stream().map(t -> t.detach().times(-0.5).variable()).toArray(Tensor[]::new));
        Gradients.of(first, first.detach());
        return graphed.of(x.toArray(Tensor[]::new));
    }

    private static Input in(String name, double scale, long... dims) {
        return new Input(name, scale, dims);
    }

    /// Forward, to x and to w are products of three kinds.
    private static Case linear(long m, long n, long k, Unary f) {
        return new Case("linear %d×%d×%d".formatted(m, n, k) + (f == null ? "" : ", " + f.name().toLowerCase(Locale.ROOT)),
                x -> f == null ? x.get(0).linear(x.get(1), x.get(2)) : x.get(0).linear(x.get(1), x.get(2), f), in("x", 1, m, k),
                in("w", 1 / Math.sqrt(k), n, k), in("b", 1, n));
    }

    /// The end of a branch.
    ///
    /// @param gate what becomes of the gate before it is used
    private static Case residual(String name, UnaryOperator<Tensor> gate, long batch, long length, long n, long k) {
        return new Case("%s %d×%d×%d×%d".formatted(name, batch, length, n, k),
                x -> x.get(0).addLinear(gate.apply(x.get(4)), x.get(1), x.get(2), x.get(3)), in("x", 1, batch, length, n),
                in("a", 1, batch, length, k), in("w", 1 / Math.sqrt(k), n, k), in("b", 1, n), in("gate", 1, batch, 1, n));
    }

    private static Case convolution(String name, long c, long o, long t, long h, long w, long kt, long kh, long kw, Geometry geometry) {
        return new Case(name, x -> x.get(0).conv3d(x.get(1), x.get(2), geometry), in("x", 1, 1, c, t, h, w),
                in("w", 1 / Math.sqrt(c * kt * kh * kw), o, c, kt, kh, kw), in("b", 1, o));
    }

    private static Case attention(String name, long batch, long queries, long keys, long heads, long width, long[] lengths) {
        return new Case(name, x -> x.get(0).attention(x.get(1), x.get(2), 1 / Math.sqrt(width), lengths),
                in("q", 1, batch, queries, heads, width), in("k", 1, batch, keys, heads, width), in("v", 1, batch, keys, heads, width));
    }

    /// With a bias, and a mask for every second window.
    private static Case windows(String name, long batch, long length, long heads, long width) {
        var in = in("q", 1, batch, length, heads, width);
        return new Case(name, x -> x.get(0).attention(x.get(1), x.get(2), x.get(3), x.get(4).detach(), 1 / Math.sqrt(width), null), in,
                new Input("k", 1, in.dims()), new Input("v", 1, in.dims()), in("bias", 1, heads, length, length),
                in("mask", 3, 2, length, length));
    }

    private static void rows(List<Case> cases, long batch, long length, long c) {
        var x = in("x", 1, batch, length, c);
        var each = in("scale", 0.3, batch, 1, c);
        var shift = in("shift", 1, batch, 1, c);
        var of = ", " + c;
        cases.add(new Case("layer norm" + of, t -> t.get(0).layerNorm(t.get(1), t.get(2), 1e-6), x, in("w", 1, c), in("b", 1, c)));
        cases.add(new Case("modulated norm" + of, t -> t.get(0).modulatedNorm(t.get(1), t.get(2), 1e-6), x, each, shift));
        cases.add(new Case("RMS norm" + of, t -> t.get(0).rmsNorm(t.get(1), 1e-6), x, in("w", 1, c)));
        cases.add(new Case("softmax" + of, t -> t.get(0).softmax(), x));
        cases.add(new Case("log-softmax" + of, t -> t.get(0).logSoftmax(), x));
    }
}
