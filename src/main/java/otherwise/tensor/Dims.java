package otherwise.tensor;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import otherwise.backend.Shape;
import otherwise.backend.ShapeException;

/// Checks shapes and binds their letters, once each: `Dims.of("rms_norm", "R C", x).and("C", w)`.
///
/// A letter must mean the same size wherever it stands; a number stands for itself; `*` at the front takes any number of leading axes
/// (their product is bound to `*`).
public final class Dims {
    private final String op;
    private final Map<String, Long> sizes = new LinkedHashMap<>();
    private final List<String> seen = new ArrayList<>();

    private Dims(String op) {
        this.op = op;
    }

    /// Starts with the first tensor.
    ///
    /// @throws ShapeException naming the operation and all shapes seen so far, if one does not fit
    public static Dims of(String op, String pattern, Tensor x) {
        return new Dims(op).and(pattern, x);
    }

    /// Goes on with the next tensor; a `null` is left out.
    public Dims and(String pattern, Tensor x) {
        if (x == null) return this;
        return and(pattern, x.shape());
    }

    /// Goes on with the next shape.
    public Dims and(String pattern, Shape shape) {
        seen.add(pattern + " = " + shape);
        var letters = List.of(pattern.split(" "));
        boolean leading = letters.getFirst().equals("*");
        int fixed = letters.size() - (leading ? 1 : 0);
        if (leading ? shape.rank() < fixed : shape.rank() != fixed) throw wrong("rank " + shape.rank());
        int skipped = shape.rank() - fixed;
        if (leading) bind("*", shape.product(0, skipped));
        for (int i = 0; i < fixed; i++) bind(letters.get(i + (leading ? 1 : 0)), shape.dim(skipped + i));
        return this;
    }

    private void bind(String letter, long size) {
        Long expected = Character.isDigit(letter.charAt(0)) ? Long.valueOf(letter) : sizes.putIfAbsent(letter, size);
        if (expected != null && expected != size) throw wrong(letter + " is " + expected + " and " + size);
    }

    /// The size bound to a letter.
    public long get(String letter) {
        return sizes.get(letter);
    }

    private ShapeException wrong(String why) {
        return new ShapeException(op + ": " + String.join(" · ", seen) + ": " + why);
    }
}
