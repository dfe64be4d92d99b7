package otherwise.backend;

import java.util.Arrays;

/// The sizes of a dense, row-major tensor, slowest axis first. A scalar has no axes and one element.
public final class Shape {
    private final long[] dims;
    private final long size;

    private Shape(long[] dims) {
        this.dims = dims;
        long n = 1;
        for (long d : dims) {
            if (d < 0) throw new ShapeException("a shape has no negative size: " + Arrays.toString(dims));
            n = Math.multiplyExact(n, d);
        }
        this.size = n;
    }

    /// The shape with these sizes.
    ///
    /// @throws ShapeException if a size is negative
    public static Shape of(long... dims) {
        return new Shape(dims.clone());
    }

    /// The number of axes.
    public int rank() {
        return dims.length;
    }

    /// The number of elements.
    public long size() {
        return size;
    }

    /// The size of one axis; a negative axis counts from the end.
    public long dim(int axis) {
        return dims[axis(axis)];
    }

    /// The axis as a number in `0 … rank-1`; a negative one counts from the end.
    ///
    /// @throws ShapeException if there is no such axis
    public int axis(int axis) {
        int a = axis < 0 ? axis + dims.length : axis;
        if (a < 0 || a >= dims.length) throw new ShapeException("no axis " + axis + " in " + this);
        return a;
    }

    /// All sizes, as a fresh array.
    public long[] dims() {
        return dims.clone();
    }

    /// How many elements apart two neighbours of each axis lie.
    public long[] strides() {
        var strides = new long[dims.length];
        long s = 1;
        for (int i = dims.length - 1; i >= 0; i--) {
            strides[i] = s;
            s *= dims[i];
        }
        return strides;
    }

    /// The same shape with one axis of another size.
    public Shape with(int axis, long size) {
        var d = dims.clone();
        d[axis(axis)] = size;
        return new Shape(d);
    }

    /// The product of the sizes in `from … to-1`.
    public long product(int from, int to) {
        long n = 1;
        for (int i = from; i < to; i++) n *= dims[i];
        return n;
    }

    /// The shape that `a` and `b` broadcast to: axes are aligned at the end, and a size of 1 repeats.
    ///
    /// @throws ShapeException if two sizes differ and neither is 1
    public static Shape broadcast(String op, Shape a, Shape b) {
        int rank = Math.max(a.rank(), b.rank());
        var d = new long[rank];
        for (int i = 0; i < rank; i++) {
            long x = i < rank - a.rank() ? 1 : a.dims[i - rank + a.rank()];
            long y = i < rank - b.rank() ? 1 : b.dims[i - rank + b.rank()];
            if (x != y && x != 1 && y != 1) throw new ShapeException(op + ": " + a + " and " + b + " do not broadcast");
            d[i] = x == 1 ? y : x;
        }
        return new Shape(d);
    }

    /// The strides with which a tensor of this shape is read as one of the shape `target`: 0 along every axis that repeats.
    public long[] stridesAs(Shape target) {
        var own = strides();
        var s = new long[target.rank()];
        for (int i = 0; i < s.length; i++) {
            int j = i - target.rank() + rank();
            s[i] = j < 0 || dims[j] == 1 ? 0 : own[j];
        }
        return s;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Shape s && Arrays.equals(dims, s.dims);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(dims);
    }

    @Override
    public String toString() {
        return Arrays.toString(dims);
    }
}
