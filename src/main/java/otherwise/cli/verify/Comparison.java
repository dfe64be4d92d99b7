package otherwise.cli.verify;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import otherwise.autograd.Gradients;
import otherwise.backend.DType;
import otherwise.backend.Shape;
import otherwise.nn.Trace;
import otherwise.tensor.Tensor;

/// Our results against those of a golden file, tensor by tensor.
///
/// The error is max|a − b| over the whole tensor; it may reach `limit · max|b|`, with 2e-4 forward (`out/`, `mid/`) and 1e-3 for gradients
/// (`grad/`), or ten times the file's own noise max|fp32 − fp64| of that tensor, whichever is larger. A reference of zeros is thereby
/// compared absolutely against the noise. A device that stores `bf16` may be 0.1 off: it keeps 8 digits of two, and a network rounds thousands
/// of times; that finds what is wrong, not what is coarse. One that multiplies as TF32 sees 11 digits, and may be an
/// eighth of that off. Every stored result must be compared, or be declared as not covered.
public final class Comparison {
    static final double FORWARD = 2e-4;
    static final double GRADIENT = 1e-3;
    private static final double SHORT = 0.1;
    private static final double NOISE_MARGIN = 10;
    /// What a reference of zeros may differ by where the file states no noise.
    private static final double ZERO = 1e-6;

    /// One tensor's verdict. `error` and `limit` are relative to max|b|, absolute where `zero`; `problem` is set where nothing could be compared.
    record Line(String name, double error, double limit, boolean zero, String problem) {
        boolean ok() {
            return problem == null && error <= limit;
        }

        /// How much of the limit was used.
        double share() {
            return problem != null ? Double.POSITIVE_INFINITY : error / limit;
        }
    }

    /// Stored tensors that this version deliberately leaves out.
    record Uncovered(String what, int tensors) {}

    private final Golden golden;
    private final Map<String, Line> lines = new LinkedHashMap<>();
    private final Map<Predicate<String>, String> uncovered = new LinkedHashMap<>();

    Comparison(Golden golden) {
        this.golden = golden;
    }

    /// Whether the file stores this result: `out/base/logits`.
    public boolean expects(String name) {
        return golden.file().contains(name);
    }

    /// Compares with the stored tensor of this full name. Does nothing if the file stores none: files keep what they like.
    public void compare(String name, Tensor ours) {
        if (expects(name)) compare(name, ours.doubles(), ours.shape().dims());
    }

    /// Compares elements in row-major order with the stored tensor of this full name; as above.
    public void compare(String name, double[] ours, long... dims) {
        if (!expects(name)) return;
        var line = line(name, ours, Shape.of(dims));
        // A network run twice (with checkpointing, on the way back) shows its middle twice: the worse one counts.
        lines.merge(name, line, (a, b) -> b.share() > a.share() ? b : a);
    }

    private Line line(String name, double[] ours, Shape shape) {
        var theirs = golden.values(name);
        if (!shape.equals(golden.shape(name))) {
            return new Line(name, 0, 0, false, "ours is " + shape + ", the file has " + golden.shape(name));
        }
        double worst = 0;
        double largest = 0;
        for (int i = 0; i < theirs.length; i++) {
            // Equal infinities and two NaNs agree; any other NaN is as wrong as can be.
            boolean same = Double.compare(ours[i], theirs[i]) == 0;
            double off = same ? 0 : Math.abs(ours[i] - theirs[i]);
            worst = Math.max(worst, Double.isNaN(off) ? Double.POSITIVE_INFINITY : off);
            if (Double.isFinite(theirs[i])) largest = Math.max(largest, Math.abs(theirs[i]));
        }
        var stated = golden.json("noise").path(name).path(0);
        double noise = NOISE_MARGIN * stated.asDouble(0);
        if (largest == 0) return new Line(name, worst, stated.isNumber() ? Math.max(noise, Double.MIN_NORMAL) : ZERO, true, null);
        int missing = golden.backend().digits() - DType.BF16.digits();
        double limit = golden.backend().digits() < DType.F32.digits() ? Math.scalb(SHORT, -missing)
                : name.startsWith("grad/") ? GRADIENT : FORWARD;
        return new Line(name, worst / largest, Math.max(limit, noise / largest), false, null);
    }

    /// Compares every note of the networks run until it is closed with `<prefix><name of the note>`: `try (var _ = mids("mid/base/")) …`
    public Trace mids(String prefix) {
        return Trace.listen((name, x) -> compare(prefix + name, x.detach()));
    }

    /// Compares gradients: those of `inputs` with `<prefix><name>`, those of weights with `<prefix>weights/<name>`.
    ///
    /// @param weights variables by name; may be empty
    public void gradients(String prefix, Gradients gradients, Map<String, Tensor> inputs, Map<String, Tensor> weights) {
        inputs.forEach((name, x) -> gradient(prefix + name, gradients, x));
        weights.forEach((name, w) -> gradient(prefix + "weights/" + name, gradients, w));
    }

    private void gradient(String name, Gradients gradients, Tensor variable) {
        if (expects(name) && variable.requiresGrad()) compare(name, gradients.to(variable));
    }

    /// Declares that stored tensors are left out on purpose; they are counted under `what` in the verdict.
    public void notCovered(String what, Predicate<String> names) {
        uncovered.put(names, what);
    }

    // ---- the verdict -------------------------------------------------------------------------------------------------------------

    /// A line for every stored result, in the order of the file, except those not covered.
    List<Line> lines() {
        var all = new ArrayList<Line>();
        for (var name : golden.file().names()) {
            if (!isResult(name) && !lines.containsKey(name)) continue;
            var line = lines.get(name);
            if (line != null) {
                all.add(line);
            } else if (reasonFor(name) == null) {
                all.add(new Line(name, 0, 0, false, "not checked"));
            }
        }
        return all;
    }

    /// What is not covered, counted by its reason.
    List<Uncovered> uncovered() {
        var counts = new LinkedHashMap<String, Integer>();
        for (var name : golden.file().names()) {
            var what = isResult(name) && !lines.containsKey(name) ? reasonFor(name) : null;
            if (what != null) counts.merge(what, 1, Integer::sum);
        }
        return counts.entrySet().stream().map(e -> new Uncovered(e.getKey(), e.getValue())).toList();
    }

    private String reasonFor(String name) {
        for (var entry : uncovered.entrySet()) if (entry.getKey().test(name)) return entry.getValue();
        return null;
    }

    private static boolean isResult(String name) {
        return name.startsWith("out/") || name.startsWith("mid/") || name.startsWith("grad/");
    }
}
