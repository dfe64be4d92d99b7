package otherwise.models.umt5;

import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// What a head adds to the score of two tokens for the way from one to the other (wan/modules/t5.py, T5RelativeEmbedding): short ways are
/// told apart one by one, longer ones by their logarithm, and all beyond 128 are the same.
///
/// @param embedding `[buckets, N]`
record RelativePositions(Tensor embedding) {
    /// The distance from which on all are the same.
    private static final int FARTHEST = 128;

    static RelativePositions load(Weights w, Umt5Config c) {
        return new RelativePositions(w.at("embedding").tensor("weight", c.numBuckets(), c.numHeads()));
    }

    /// The bias of every head for each pair of query and key, `[1, N, L, L]`.
    Tensor bias(long length) {
        int l = Math.toIntExact(length);
        var buckets = new long[Math.multiplyExact(l, l)];
        int n = Math.toIntExact(embedding.dim(0));
        for (int query = 0; query < l; query++) {
            for (int key = 0; key < l; key++) buckets[query * l + key] = bucket(key - query, n);
        }
        var index = Tensor.indices(embedding.backend(), buckets, buckets.length);
        return embedding.gatherRows(index).reshape(1, length, length, -1).permute(0, 3, 1, 2);
    }

    /// The bucket of key − query. The second half of the buckets is for keys to the right; a quarter are single distances.
    static int bucket(long relative, int buckets) {
        int half = buckets / 2;
        int side = relative > 0 ? half : 0;
        long distance = Math.abs(relative);
        int exact = half / 2;
        if (distance < exact) return (int) (side + distance);
        // In single precision where the official code is: a distance at the edge of a bucket falls on the same side.
        float ratio = (float) Math.log((float) distance / exact) / (float) Math.log((double) FARTHEST / exact);
        return side + Math.min(exact + (int) (ratio * (half - exact)), half - 1);
    }
}
