package otherwise.backend.dry;

/// What was asked of a device.
///
/// @param products multiplications and additions of matrix products, convolutions and attention, each counted (a fused multiply-add is two)
/// @param others elements that all other operations made
/// @param calls of operations
public record Work(long products, long others, long calls) {
    public static final Work NONE = new Work(0, 0, 0);

    public Work plus(Work other) {
        return new Work(products + other.products, others + other.others, calls + other.calls);
    }
}
