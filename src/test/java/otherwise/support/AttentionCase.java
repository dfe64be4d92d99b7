package otherwise.support;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import otherwise.backend.AttentionBias;
import otherwise.backend.AttentionSpec;
import otherwise.backend.Backend;
import otherwise.backend.Storage;

/// One attention, forward and backward, with the same random numbers on every device: they are cut to what bf16 holds.
///
/// @param bias whether something is added to the scores for every head
/// @param masks how many masks there are, 0 for none
/// @param size of the largest elements of q and k
public record AttentionCase(AttentionSpec spec, boolean bias, long masks, double size) {
    /// What a run gives, in its order.
    public static final List<String> NAMES = List.of("y", "logsumexp", "dq", "dk", "dv", "dbias");

    /// As [Backend#attention].
    @FunctionalInterface
    public interface Forward {
        void run(Storage y, Storage logsumexp, Storage q, Storage k, Storage v, AttentionBias added, AttentionSpec spec);
    }

    /// As [Backend#attentionBackward].
    @FunctionalInterface
    public interface Backward {
        void run(
                Storage dq, Storage dk, Storage dv, Storage dbias, Storage dy, Storage y, Storage logsumexp, Storage q, Storage k,
                Storage v,
                AttentionBias added, AttentionSpec spec);
    }

    /// Nothing added.
    public static AttentionCase of(AttentionSpec spec) {
        return new AttentionCase(spec, false, 0, 1);
    }

    /// What the device itself gives.
    public double[][] on(Backend device) {
        return on(device, device::attention, device::attentionBackward, 0);
    }

    /// What these two give; what goes in lies `offset` elements behind the beginning of a storage, results begin as no numbers. Without a bias,
    /// there is no dbias at the end.
    public double[][] on(Backend device, Forward forward, Backward backward, long offset) {
        try (var _ = device.scope()) {
            var random = new SplittableRandom(7);
            long queries = spec.batch() * spec.length() * spec.heads() * spec.width();
            long keys = spec.batch() * spec.keys() * spec.heads() * spec.width();
            var q = storage(device, random, queries, size, offset);
            var k = storage(device, random, keys, size, offset);
            var v = storage(device, random, keys, 1, offset);
            var dy = storage(device, random, queries, 1, offset);
            var biases = bias ? storage(device, random, spec.heads() * spec.length() * spec.keys(), 2, offset) : null;
            var mask = masks > 0 ? storage(device, random, masks * spec.length() * spec.keys(), 2, offset) : null;
            var added = biases == null && mask == null ? null : new AttentionBias(biases, mask, Math.max(1, masks));
            var y = blank(device, queries);
            var logsumexp = device.allocate(device.statistics(), spec.batch() * spec.heads() * spec.length());
            var dq = blank(device, queries);
            var dk = blank(device, keys);
            var dv = blank(device, keys);
            var dbias = bias ? blank(device, spec.heads() * spec.length() * spec.keys()) : null;
            forward.run(y, logsumexp, q, k, v, added, spec);
            backward.run(dq, dk, dv, dbias, dy, y, logsumexp, q, k, v, added, spec);
            return Stream.of(y, logsumexp, dq, dk, dv, dbias).filter(x -> x != null).map(x -> {
                var values = new double[Math.toIntExact(x.size())];
                device.download(x, values);
                return values;
            }).toArray(double[][]::new);
        }
    }

    private static Storage storage(Backend device, SplittableRandom random, long n, double range, long offset) {
        var storage = device.allocate(device.real(), offset + n).slice(offset, n);
        device.upload(storage, random.doubles(n, -range, range)
                .map(v -> Float.intBitsToFloat(Float.floatToRawIntBits((float) v) & 0xffff0000)).toArray());
        return storage;
    }

    private static Storage blank(Backend device, long n) {
        var storage = device.allocate(device.real(), n);
        device.fill(storage, Double.NaN);
        return storage;
    }

    /// Fails unless `actual` is what the plain loops give, the logsumexp within `sums`.
    public void check(double[][] actual, double limit, double sums) {
        try (var reference = new Reference()) {
            var expected = on(reference);
            for (int i = 0; i < expected.length; i++) {
                Close.check(NAMES.get(i), actual[i], expected[i], NAMES.get(i).equals("logsumexp") ? sums : limit);
            }
        }
    }

    /// For the name of a test.
    @Override
    public String toString() {
        return "%d × %d heads, %d queries, %d keys, width %d%s%s%s".formatted(
                spec.batch(), spec.heads(), spec.length(), spec.keys(), spec.width(),
                spec.keyLengths() == null ? "" : ", keys that count " + Arrays.toString(spec.keyLengths()), bias ? ", bias" : "",
                masks > 0 ? ", " + masks + " masks" : "");
    }
}
