package otherwise.models.swin;

import otherwise.nn.Linear;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// Multi-head attention inside windows, with a learned bias for every relative position.
///
///     softmax(q kᵀ / √D + bias + mask) v
///
/// @param qkv `[3C, C]`: queries, keys and values
/// @param biasTable `[(2wT−1)(2wH−1)(2wW−1), N]`, for the full window
record WindowAttention(Linear qkv, Linear proj, Tensor biasTable, SwinConfig config) {

    static WindowAttention load(Weights w, int c, int heads, SwinConfig config) {
        return new WindowAttention(
                Linear.load(w.at("qkv"), c, 3L * c),
                Linear.load(w.at("proj"), c, c),
                w.tensor("relative_position_bias_table", config.relativePositions(), heads),
                config);
    }

    /// x `[B·T·H·W, C]`, with the bias's rows for the window at hand, `[L·L]` → `[B·T·H·W, C]`
    Tensor forward(Tensor x, Windows windows, Tensor biasIndex) {
        long l = windows.length();
        long heads = biasTable.dim(1);
        long d = x.dim(1) / heads;
        var inside = windows.partition(x);

        var bias = biasTable.gatherRows(biasIndex).reshape(l, l, heads).permute(2, 0, 1); // [N, L, L]
        var y = heads(inside, 0, windows)
                .attention(heads(inside, 1, windows), heads(inside, 2, windows), bias, windows.mask(), 1 / Math.sqrt(d), null);

        // The projection acts on each token alone, so places that were only filled up are dropped before it.
        return proj.forward(windows.reverse(y.reshape(inside.dim(0), heads * d)));
    }

    /// Queries, keys or values of the tokens in windows, `[B·W, L, N, D]`. Each by its own rows of the weight, which saves cutting the
    /// result apart, and putting gradients together again.
    private Tensor heads(Tensor inside, int which, Windows windows) {
        long c = inside.dim(1);
        long heads = biasTable.dim(1);
        var y = inside.linear(qkv.weight().slice(0, which * c, (which + 1) * c), qkv.bias().slice(0, which * c, (which + 1) * c));
        return y.reshape(windows.batch() * windows.count(), windows.length(), heads, c / heads);
    }

    /// For each pair of tokens of a window the row of the bias table, `[L·L]`.
    ///
    /// The official code takes the first L rows and columns of the full window's table also where the window is clipped, although the tokens
    /// of a clipped window lie elsewhere (unless only time is clipped). Networks were trained so; it is repeated here.
    static long[] biasIndex(SwinConfig config, int length) {
        int wt = config.windowSize().get(0);
        int wh = config.windowSize().get(1);
        int ww = config.windowSize().get(2);
        var index = new long[length * length];
        for (int i = 0; i < length; i++) {
            for (int j = 0; j < length; j++) {
                int dt = i / (wh * ww) - j / (wh * ww) + wt - 1;
                int dh = i / ww % wh - j / ww % wh + wh - 1;
                int dw = i % ww - j % ww + ww - 1;
                index[i * length + j] = ((long) dt * (2 * wh - 1) + dh) * (2 * ww - 1) + dw;
            }
        }
        return index;
    }
}
