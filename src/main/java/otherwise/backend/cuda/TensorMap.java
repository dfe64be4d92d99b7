package otherwise.backend.cuda;

/// Matrices of bf16 in device memory, `[matrices, rows, columns]` with dense rows, out of which the copy engine of a Hopper GPU brings boxes
/// to shared memory: `[boxRows, BOX_COLUMNS]`, with zeros where there is no matrix. A row of a box has 128 bytes, and is swizzled.
///
/// @param rowBytes from a row to the next
/// @param matrixBytes from a matrix to the next
record TensorMap(long address, long columns, long rows, long matrices, long rowBytes, long matrixBytes, int boxRows) {
    /// Of a map as kernels are given it.
    static final int BYTES = 128;

    static final int BOX_COLUMNS = 64;

    /// What addresses and distances are multiples of.
    static final int ALIGNMENT = 16;

    private static final int MOST_ROWS = 256;

    TensorMap {
        if (address % ALIGNMENT != 0 || rowBytes % ALIGNMENT != 0 || matrixBytes % ALIGNMENT != 0)
            throw new IllegalArgumentException("a tensor map of what is not aligned to " + ALIGNMENT + " bytes");
        if (columns < 1 || rows < 1 || matrices < 1 || boxRows < 1 || boxRows > MOST_ROWS)
            throw new IllegalArgumentException(
                    "a tensor map of %d × %d × %d with boxes of %d rows".formatted(matrices, rows, columns, boxRows));
    }
}
