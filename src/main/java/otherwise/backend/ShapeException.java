package otherwise.backend;

/// Sizes that do not fit together. The message names the operation and both shapes.
public final class ShapeException extends IllegalArgumentException {
    public ShapeException(String message) {
        super(message);
    }
}
