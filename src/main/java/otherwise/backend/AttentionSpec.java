package otherwise.backend;

/// The sizes of scaled dot-product attention, `y = softmax(scale · q kᵀ + what is added) v` for each batch entry and head.
///
/// q, y `[batch, length, heads, width]` · k, v `[batch, keys, heads, width]`. With `keyLengths` (one a batch entry), keys from that
/// position on are excluded; `null` means all count.
public record AttentionSpec(long batch, long heads, long length, long keys, long width, double scale, long[] keyLengths) {

    /// How many keys of batch entry `b` count.
    public long keysOf(long b) {
        return keyLengths == null ? keys : keyLengths[(int) b];
    }
}
