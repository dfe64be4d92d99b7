package otherwise.backend.cuda;

import otherwise.backend.AttentionBias;
import otherwise.backend.AttentionSpec;
import otherwise.backend.DType;
import otherwise.backend.Storage;

/// Launches of `attention.cu` and `attention_back.cu`, or of what stands for them on tensor cores where that can be:
/// by [HopperAttention] or [TensorAttention].
final class Attention {
    private static final String FILE = "attention";
    private static final String BACK = "attention_back";

    /// Queries, or keys, that a block owns.
    private static final int OWN = 64;

    private static final int WARP = 32;
    private static final int WARPS = 8;

    /// Floats by which a row in shared memory is longer than what it holds.
    private static final int GAP = 4;

    private final Kernels kernels;
    private final TensorAttention tensor;
    private final HopperAttention hopper;

    Attention(Kernels kernels) {
        this.kernels = kernels;
        tensor = new TensorAttention(kernels);
        hopper = new HopperAttention(kernels);
    }

    void forward(Storage y, Storage logsumexp, Storage q, Storage k, Storage v, AttentionBias added, AttentionSpec s) {
        if (queries(s) == 0) return;
        if (added == null && hopper.serves(s, y, q, k, v)) {
            hopper.forward(y, logsumexp, q, k, v, s);
            return;
        }
        try (var keyLengths = keyLengths(s)) {
            var arguments = forwardArguments(y, logsumexp, q, k, v, keyLengths, added, s);
            if (tensor.serves(s, q, k, v, biasOf(added), maskOf(added))) {
                tensor.forward(arguments, s, added != null);
                return;
            }
            int d = chunk(s);
            kernels.launch(FILE, "attention_" + suffix(s), grid(s, s.length(), d).shared(sharedBytes(1, d, 64)), arguments);
        }
    }

    /// The same as [#forward] by the plainest of kernels.
    void naive(Storage y, Storage logsumexp, Storage q, Storage k, Storage v, AttentionBias added, AttentionSpec s) {
        try (var keyLengths = keyLengths(s)) {
            kernels.over(queries(s), FILE, "attention_naive", forwardArguments(y, logsumexp, q, k, v, keyLengths, added, s));
        }
    }

    private static Arguments forwardArguments(
            Storage y, Storage logsumexp, Storage q, Storage k, Storage v, Kernels.Scratch keyLengths, AttentionBias added,
            AttentionSpec s) {
        return common(new Arguments().with(y).with(logsumexp).with(q).with(k).with(v), keyLengths, added, s);
    }

    /// With what every kernel takes last.
    private static Arguments common(Arguments arguments, Kernels.Scratch keyLengths, AttentionBias added, AttentionSpec s) {
        return arguments.with(address(keyLengths)).with(sizes(s)).with((float) s.scale()).with(struct(added));
    }

    /// The kernels' struct Added.
    private static long[] struct(AttentionBias added) {
        return new long[] {CudaStorage.address(biasOf(added)), CudaStorage.address(maskOf(added)), added == null ? 1 : added.masks()};
    }

    void backward(
            Storage dq, Storage dk, Storage dv, Storage dbias, Storage dy, Storage y, Storage logsumexp, Storage q, Storage k, Storage v,
            AttentionBias added, AttentionSpec s) {
        if (s.batch() * s.heads() * s.width() == 0) return;
        int d = chunk(s);
        int rows = d == 128 ? 32 : 64;
        long shared = sharedBytes(2, d, rows);
        boolean fits = tensor.serves(s, q, k, v, dy, biasOf(added), maskOf(added));
        try (var keyLengths = keyLengths(s); var delta = kernels.scratch(DType.F32, Math.max(1, queries(s)))) {
            var sums = delta.storage();
            if (s.length() > 0) {
                var grid = new Grid(Math.ceilDiv(queries(s), WARPS), 1, 1, WARP, WARPS, 1, 0);
                kernels.launch(BACK, "attention_delta", grid, new Arguments().with(sums).with(dy).with(y).with(sizes(s)));
                if (added == null && hopper.serves(s, dq, dk, dv, dy, q, k, v)) {
                    hopper.toQueries(dq, dy, logsumexp, sums, q, k, v, s);
                    hopper.toKeys(dk, dv, dy, logsumexp, sums, q, k, v, s);
                    return;
                }
                var arguments = seen(new Arguments().with(dq), dy, logsumexp, sums, q, k, v, keyLengths, added, s);
                if (fits) tensor.toQueries(arguments, s, added != null);
                else kernels.launch(BACK, "attention_to_queries_" + suffix(s), grid(s, s.length(), d).shared(shared), arguments);
            }
            if (s.keys() > 0) {
                var arguments = seen(new Arguments().with(dk).with(dv), dy, logsumexp, sums, q, k, v, keyLengths, added, s);
                if (fits) tensor.toKeys(arguments, s, added != null);
                else kernels.launch(BACK, "attention_to_keys_" + suffix(s), grid(s, s.keys(), d).shared(shared), arguments);
            }
            if (dbias != null && dbias.size() > 0) {
                long tiles = Math.ceilDiv(s.length(), OWN) * Math.ceilDiv(s.keys(), OWN);
                var grid = Grid.of(s.heads() * tiles, Kernels.BLOCK).shared(sharedBytes(1, d, OWN));
                kernels.launch(BACK, "attention_to_bias_" + d, grid, seen(
                        new Arguments().with(dbias), dy, logsumexp, sums, q, k, v, keyLengths, added, s));
            }
        }
    }

    /// With what is seen on the way back.
    private static Arguments seen(
            Arguments results, Storage dy, Storage logsumexp, Storage delta, Storage q, Storage k, Storage v, Kernels.Scratch keyLengths,
            AttentionBias added, AttentionSpec s) {
        return common(results.with(dy).with(logsumexp).with(delta).with(q).with(k).with(v), keyLengths, added, s);
    }

    private static Storage biasOf(AttentionBias added) {
        return added == null ? null : added.bias();
    }

    private static Storage maskOf(AttentionBias added) {
        return added == null ? null : added.mask();
    }

    private static long queries(AttentionSpec s) {
        return s.batch() * s.heads() * s.length();
    }

    /// The columns that a block takes at a time: all, up to 128.
    private static int chunk(AttentionSpec s) {
        return s.width() <= 32 ? 32 : s.width() <= 64 ? 64 : 128;
    }

    /// What the names of its kernels end with.
    private static String suffix(AttentionSpec s) {
        return s.width() <= 128 ? Integer.toString(chunk(s)) : "wide";
    }

    /// A block for each head, tile of owned rows and chunk of the width.
    private static Grid grid(AttentionSpec s, long owned, int d) {
        return Grid.of(s.batch() * s.heads() * Math.ceilDiv(owned, OWN) * Math.ceilDiv(s.width(), d), Kernels.BLOCK);
    }

    /// What a block has in shared memory: one or two matrices `[OWN, d]` that it owns, `rows` rows that go by, and the scores of both.
    private static long sharedBytes(int owned, int d, int rows) {
        return (long) Float.BYTES * ((owned * OWN + rows) * (d + GAP) + OWN * (rows + GAP));
    }

    private Kernels.Scratch keyLengths(AttentionSpec s) {
        return s.keyLengths() == null ? null : kernels.scratch(s.keyLengths());
    }

    private static Storage address(Kernels.Scratch scratch) {
        return scratch == null ? null : scratch.storage();
    }

    private static long[] sizes(AttentionSpec s) {
        return new long[] {s.batch(), s.heads(), s.length(), s.keys(), s.width()};
    }
}
