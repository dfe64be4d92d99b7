package otherwise.cli.bench;

import otherwise.tensor.Random;

/// An input of a benchmark, as every engine can take it.
///
/// @param values row-major
/// @param dims their shape
public record Array(String name, float[] values, long... dims) {

    /// Normal numbers of this standard deviation; which ones depends on the name alone.
    static Array normal(String name, double deviation, long... dims) {
        int size = 1;
        for (long d : dims) size = Math.toIntExact(size * d);
        float[] values = Random.philox(1, name.hashCode()).normal(size);
        for (int i = 0; i < size; i++) values[i] *= (float) deviation;
        return new Array(name, values, dims);
    }

    /// The same numbers moved by a constant.
    Array plus(double offset) {
        for (int i = 0; i < values.length; i++) values[i] += (float) offset;
        return this;
    }
}
