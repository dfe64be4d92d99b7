package otherwise.nn;

import java.util.Set;
import java.util.TreeSet;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.backend.ShapeException;
import otherwise.tensor.Tensor;

/// A path into a checkpoint, walked like folders: `weights.at("blocks").at(7).at("self_attn").at("q").tensor("weight", out, in)`.
///
/// The shape is asked for at once, so that a wrong file fails at its first wrong tensor. Names nobody asked for can be reported.
public final class Weights {

    /// Where tensors come from: a file, a map, or an initialiser that makes them up.
    public interface Source {
        /// The tensor of this full name, or `null` if there is none. `expected` tells an initialiser what to make.
        Tensor tensor(String name, Shape expected);

        /// Whether there is a tensor of this full name.
        boolean has(String name);
    }

    private final Source source;
    private final String path;
    private final Set<String> asked;

    private Weights(Source source, String path, Set<String> asked) {
        this.source = source;
        this.path = path;
        this.asked = asked;
    }

    /// The root of a checkpoint.
    public static Weights of(Source source) {
        return new Weights(source, "", new TreeSet<>());
    }

    /// The root of a checkpoint held in a map.
    public static Weights of(java.util.Map<String, Tensor> tensors) {
        return of(new Source() {
            @Override
            public Tensor tensor(String name, Shape expected) {
                return tensors.get(name);
            }

            @Override
            public boolean has(String name) {
                return tensors.containsKey(name);
            }
        });
    }

    /// The root of a checkpoint that has whatever is asked for, contents undefined: for a device that computes nothing.
    public static Weights blank(Backend backend) {
        return of(new Source() {
            @Override
            public Tensor tensor(String name, Shape expected) {
                return Tensor.blank(backend, expected);
            }

            @Override
            public boolean has(String name) {
                return true;
            }
        });
    }

    /// One folder down.
    public Weights at(String name) {
        return new Weights(source, path + name + ".", asked);
    }

    /// One folder down, by number.
    public Weights at(int index) {
        return at(Integer.toString(index));
    }

    /// Whether there is a tensor of this name here.
    public boolean has(String name) {
        return source.has(path + name);
    }

    /// The tensor of this name here.
    ///
    /// @throws ShapeException if it is missing or has another shape, naming it and both shapes
    public Tensor tensor(String name, long... dims) {
        var full = path + name;
        var expected = Shape.of(dims);
        asked.add(full);
        var found = source.tensor(full, expected);
        if (found == null) throw new ShapeException(full + ": the weights have no such tensor; expected " + expected);
        if (!found.shape().equals(expected))
            throw new ShapeException(full + ": expected " + expected + ", the weights have " + found.shape());
        return found;
    }

    /// The full names asked for so far, from every path of this checkpoint.
    public Set<String> asked() {
        return asked;
    }
}
