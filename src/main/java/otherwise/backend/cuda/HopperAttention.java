package otherwise.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import otherwise.backend.AttentionSpec;
import otherwise.backend.DType;
import otherwise.backend.Storage;

/// Launches of `attention_hopper.cu` and `attention_hopper_back.cu`: attention of bf16 on a Hopper GPU.
final class HopperAttention {
    private static final String FILE = "attention_hopper";
    private static final String BACK = "attention_hopper_back";
    private static final int THREADS = 384;

    /// Rows of a tile, but of the queries that go by on the way to keys.
    private static final int TILE = 128;
    private static final int PASSING = 64;

    /// Tiles that go by, in shared memory at a time; to keys, pairs of them.
    private static final int STAGES = 6;
    private static final int STAGES_TO_QUERIES = 5;
    private static final int STAGES_TO_KEYS = 4;

    private final Kernels kernels;
    private final Driver driver;

    HopperAttention(Kernels kernels) {
        this.kernels = kernels;
        driver = kernels.driver();
    }

    /// Whether this device can, and it is worth it: queries and keys for half of a tile, of a width that is a number of boxes. Addresses are
    /// multiples of 16 bytes, and numbers of rows and tiles have 32 bits; and a larger product is a larger score.
    boolean serves(AttentionSpec s, Storage... operands) {
        long rows = Math.max(s.length(), s.keys());
        return driver.hopper() && kernels.real() == DType.BF16 && (s.width() == 64 || s.width() == 128) && s.scale() > 0
                && 2 * Math.min(s.length(), s.keys()) >= TILE
                && Math.max(Math.max(rows, s.heads() * s.width()), tiles(s, s.batch(), rows)) < Integer.MAX_VALUE / 2
                && Stream.of(operands).allMatch(x -> CudaStorage.address(x) % TensorMap.ALIGNMENT == 0);
    }

    void forward(Storage y, Storage logsumexp, Storage q, Storage k, Storage v, AttentionSpec s) {
        for (var e : Entries.of(s)) {
            var arguments = new Arguments().with(e.of(y)).with(e.of(logsumexp)).with(driver.encode(e.queries(q, TILE)))
                    .with(driver.encode(e.keys(k))).with(driver.encode(e.keys(v)));
            launch(FILE, FILE, e, s.length(), (1 + STAGES) * TILE, STAGES, 0, arguments);
        }
    }

    /// @param delta what `attention_delta` makes of dy and y
    void toQueries(
            Storage dq, Storage dy, Storage logsumexp, Storage delta, Storage q, Storage k, Storage v, AttentionSpec s) {
        for (var e : Entries.of(s)) {
            var arguments = seen(new Arguments().with(e.of(dq)), e, TILE, dy, logsumexp, delta, q, k, v);
            launch(BACK, FILE + "_to_queries", e, s.length(), (2 + STAGES_TO_QUERIES) * TILE, STAGES_TO_QUERIES, 0, arguments);
        }
    }

    /// The same to keys. Two floats a query are with those that go by.
    void toKeys(
            Storage dk, Storage dv, Storage dy, Storage logsumexp, Storage delta, Storage q, Storage k, Storage v, AttentionSpec s) {
        for (var e : Entries.of(s)) {
            var arguments = seen(new Arguments().with(e.of(dk)).with(e.of(dv)), e, PASSING, dy, logsumexp, delta, q, k, v);
            launch(BACK, FILE + "_to_keys", e, s.keys(), 2 * TILE + STAGES_TO_KEYS * 2 * PASSING, STAGES_TO_KEYS,
                    STAGES_TO_KEYS * 2 * PASSING * Float.BYTES, arguments);
        }
    }

    /// With what is seen on the way back.
    private Arguments seen(
            Arguments results, Entries e, int tile, Storage dy, Storage logsumexp, Storage delta, Storage q, Storage k, Storage v) {
        return results.with(driver.encode(e.queries(dy, tile))).with(e.of(logsumexp)).with(e.of(delta))
                .with(driver.encode(e.queries(q, tile))).with(driver.encode(e.keys(k)))
                .with(driver.encode(e.keys(v)));
    }

    /// @param owned rows of which a block has a tile
    /// @param inShared rows of tiles that a block has in shared memory, which may begin up to 1 KiB late
    /// @param stages of which each has two barriers; there are four others
    /// @param others bytes
    private void launch(
            String file, String kernel, Entries e, long owned, int inShared, int stages, int others, Arguments arguments) {
        var s = e.spec;
        arguments.with(new long[] {e.count, s.heads(), s.length(), e.keys(), s.keys()}).with((float) s.scale());
        long blocks = Math.min(tiles(s, e.count, owned), driver.multiprocessors());
        long shared = inShared * s.width() * DType.BF16.bytes() + 1024 + others + (2L * stages + 4) * Long.BYTES;
        kernels.launch(file, kernel + "_" + s.width(), Grid.of(blocks, THREADS).shared(shared), arguments);
    }

    private static long tiles(AttentionSpec s, long batch, long rows) {
        return batch * s.heads() * Math.ceilDiv(rows, TILE);
    }

    /// Neighbouring batch entries with equally many keys that count. They have a launch of their own: what a tensor map says is there are
    /// those keys.
    private record Entries(AttentionSpec spec, long first, long count) {
        static List<Entries> of(AttentionSpec s) {
            var all = new ArrayList<Entries>();
            for (long first = 0, end; first < s.batch(); first = end) {
                end = first + 1;
                while (end < s.batch() && s.keysOf(end) == s.keysOf(first)) end++;
                all.add(new Entries(s, first, end - first));
            }
            return all;
        }

        long keys() {
            return spec.keysOf(first);
        }

        /// What belongs to them of a result of the whole batch.
        Storage of(Storage x) {
            long each = x.size() / spec.batch();
            return x.slice(first * each, count * each);
        }

        TensorMap queries(Storage x, int tile) {
            return map(x, spec.length(), spec.length(), tile);
        }

        /// Without any, nothing is fetched, but a map has to have a row.
        TensorMap keys(Storage x) {
            return map(x, spec.keys(), Math.max(1, keys()), TILE);
        }

        /// The first `rows` tokens of each entry, which has `tokens`: matrices of a row a token, the heads side by side.
        private TensorMap map(Storage x, long tokens, long rows, int tile) {
            long columns = spec.heads() * spec.width();
            long rowBytes = columns * DType.BF16.bytes();
            return new TensorMap(CudaStorage.address(of(x)), columns, rows, count, rowBytes, tokens * rowBytes, tile);
        }
    }
}
