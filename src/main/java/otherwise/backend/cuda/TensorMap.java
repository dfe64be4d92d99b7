package otherwise.backend.cuda;

import java.util.List;

/// A tensor of bf16 in device memory, of two to five axes, out of which the copy engine of a Hopper GPU brings boxes to shared memory, with
/// zeros where the tensor has nothing. The first axis is dense; of it a box has [#BOX_COLUMNS], 128 bytes, which are swizzled.
///
/// @param columns elements of the dense axis
/// @param axes the others, in the order in which they follow each other in a box
record TensorMap(long address, long columns, List<Axis> axes) {
    /// Of a map as kernels are given it.
    static final int BYTES = 128;

    static final int BOX_COLUMNS = 64;

    /// What addresses and distances are multiples of.
    static final int ALIGNMENT = 16;

    static final int MOST_AXES = 5;
    private static final int MOST_OF_A_BOX = 256;

    /// @param bytes from an element to the next
    /// @param box elements of a box
    record Axis(long size, long bytes, int box) {}

    TensorMap {
        axes = List.copyOf(axes);
        if (address % ALIGNMENT != 0 || axes.stream().anyMatch(a -> a.bytes % ALIGNMENT != 0))
            throw new IllegalArgumentException("a tensor map of what is not aligned to " + ALIGNMENT + " bytes");
        if (columns < 1 || axes.isEmpty() || axes.size() >= MOST_AXES
                || axes.stream().anyMatch(a -> a.size < 1 || a.box < 1 || a.box > MOST_OF_A_BOX))
            throw new IllegalArgumentException("a tensor map of %d × %s".formatted(columns, axes));
    }

    /// Matrices with dense rows, and boxes that are rows of one of them.
    TensorMap(long address, long columns, long rows, long matrices, long rowBytes, long matrixBytes, int boxRows) {
        this(address, columns, List.of(new Axis(rows, rowBytes, boxRows), new Axis(matrices, matrixBytes, 1)));
    }

    int rank() {
        return 1 + axes.size();
    }

    /// Elements along each axis.
    long[] extents() {
        var all = new long[rank()];
        all[0] = columns;
        for (int i = 1; i < all.length; i++) all[i] = axes.get(i - 1).size;
        return all;
    }

    /// Bytes from an element to the next, along each axis but the first.
    long[] strides() {
        return axes.stream().mapToLong(Axis::bytes).toArray();
    }

    /// Elements of a box along each axis.
    int[] box() {
        var all = new int[rank()];
        all[0] = BOX_COLUMNS;
        for (int i = 1; i < all.length; i++) all[i] = axes.get(i - 1).box;
        return all;
    }
}
