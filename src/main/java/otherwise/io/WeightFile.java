package otherwise.io;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import otherwise.backend.Backend;
import otherwise.backend.DType;
import otherwise.backend.Shape;
import otherwise.tensor.Tensor;

/// The tensors of a file on a device, each uploaded when it is asked for, into the innermost scope.
///
/// Floating-point types are converted to the device's real type, whole numbers to `i64`. A prefix makes a part of the file look like a file
/// of its own: with `weights/dit/`, the name `head.head.weight` reads `weights/dit/head.head.weight`. Nothing is kept: asked twice, a name
/// gives two tensors.
public record WeightFile(TensorFile file, Backend backend, String prefix) implements Function<String, Tensor> {

    public WeightFile(TensorFile file, Backend backend) {
        this(file, backend, "");
    }

    /// Whether the file has this name below the prefix.
    public boolean has(String name) {
        return file.contains(prefix + name);
    }

    /// The tensor of this name below the prefix, or `null` if there is none.
    @Override
    public Tensor apply(String name) {
        return has(name) ? upload(file, prefix + name, backend) : null;
    }

    /// One tensor of a file on a device.
    ///
    /// @throws IllegalArgumentException if there is no such tensor
    public static Tensor upload(TensorFile file, String name, Backend backend) {
        var entry = file.entry(name);
        var shape = Shape.of(entry.shape());
        return switch (entry.dtype()) {
            case "F64", "F32", "BF16", "F16" -> {
                var tensor = Tensor.blank(backend, shape);
                backend.upload(tensor.data(), file.segment(name), DType.valueOf(entry.dtype()));
                yield tensor;
            }
            // The 8-bit floats of some quantised checkpoints: no device takes them as they are.
            case "F8_E4M3", "F8_E5M2" -> Tensor.of(backend, file.doubles(name), entry.shape());
            default -> Tensor.indices(backend, file.longs(name), entry.shape());
        };
    }

    /// Some rows of a file's matrix of real numbers, `[R, C]` → `[rows.length, C]`: a large table is not uploaded for a few of its rows.
    ///
    /// @throws IllegalArgumentException if there is no such tensor, it is no such matrix, or has not all of these rows
    public static Tensor rows(TensorFile file, String name, long[] rows, Backend backend) {
        var entry = file.entry(name);
        boolean real = List.of("F64", "F32", "BF16", "F16").contains(entry.dtype());
        if (!real || entry.shape().length != 2)
            throw new IllegalArgumentException(file.path() + ": " + entry + " is no matrix of real numbers");
        long count = entry.shape()[0];
        var table = file.segment(name);
        var found = new ArrayList<Tensor>();
        for (long row : rows) {
            if (row < 0 || row >= count) throw new IllegalArgumentException(file.path() + ": " + entry + " has no row " + row);
            var tensor = Tensor.blank(backend, Shape.of(1, entry.shape()[1]));
            long bytes = entry.bytes() / count;
            backend.upload(tensor.data(), table.asSlice(row * bytes, bytes), DType.valueOf(entry.dtype()));
            found.add(tensor);
        }
        return Tensor.concat(0, found);
    }
}
