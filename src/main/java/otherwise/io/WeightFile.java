package otherwise.io;

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
}
