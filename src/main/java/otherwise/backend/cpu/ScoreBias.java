package otherwise.backend.cpu;

import static otherwise.backend.cpu.GemmKernel.COLUMNS;
import static otherwise.backend.cpu.VectorMath.LANES;
import static otherwise.backend.cpu.VectorMath.SPECIES;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import otherwise.backend.AttentionBias;
import otherwise.backend.AttentionSpec;
import otherwise.backend.cpu.Scratch.Use;

/// What is added to blocks of scores ([AttentionBias]). A block has rows [GemmKernel#COLUMNS] apart; an item is one head of one batch entry.
///
/// @param bias `[heads, length, keys]` or `null`
/// @param mask `[masks, length, keys]` or `null`
record ScoreBias(MemorySegment bias, MemorySegment mask, long masks, AttentionSpec s) {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    /// scores = scale · scores + what is added, of a row a query and a column a key.
    void addToRows(float[] scores, long item, int query, int queries, int key, int keys) {
        float scale = (float) s.scale();
        if (bias != null) scale = addRows(scores, scale, bias, biasAt(item, query, key), queries, keys);
        if (mask != null) addRows(scores, scale, mask, maskAt(item, query, key), queries, keys);
    }

    /// The same of a row a key and a column a query.
    void addToColumns(float[] scores, long item, int query, int queries, int key, int keys) {
        float scale = (float) s.scale();
        if (bias != null) scale = addColumns(scores, scale, bias, biasAt(item, query, key), queries, keys);
        if (mask != null) addColumns(scores, scale, mask, maskAt(item, query, key), queries, keys);
    }

    /// Adds the gradients of these scores, a row a query, to that of the bias.
    void addGradient(MemorySegment dbias, float[] ds, long item, int query, int queries, int key, int keys) {
        long from = biasAt(item, query, key);
        for (int i = 0; i < queries; i++, from += s.keys()) {
            for (int c = 0; c < keys; c += LANES) {
                var in = SPECIES.indexInRange(c, keys);
                long place = (from + c) * Float.BYTES;
                FloatVector.fromMemorySegment(SPECIES, dbias, place, ORDER, in)
                        .add(FloatVector.fromArray(SPECIES, ds, i * COLUMNS + c))
                        .intoMemorySegment(dbias, place, ORDER, in);
            }
        }
    }

    private long biasAt(long item, int query, int key) {
        return (item % s.heads() * s.length() + query) * s.keys() + key;
    }

    private long maskAt(long item, int query, int key) {
        return (item / s.heads() % masks * s.length() + query) * s.keys() + key;
    }

    /// The scale that is left to do: none.
    private float addRows(float[] scores, float scale, MemorySegment term, long from, int queries, int keys) {
        for (int i = 0; i < queries; i++, from += s.keys()) {
            for (int c = 0; c < keys; c += LANES) {
                var in = SPECIES.indexInRange(c, keys);
                add(scores, i * COLUMNS + c, scale, FloatVector.fromMemorySegment(SPECIES, term, (from + c) * Float.BYTES, ORDER, in));
            }
        }
        return 1f;
    }

    private float addColumns(float[] scores, float scale, MemorySegment term, long from, int queries, int keys) {
        int width = Pack.padded(queries);
        var turned = Scratch.mine().floats(Use.TILE_2, (long) keys * width);
        Pack.columns(turned, 0, term, from, s.keys(), true, queries, keys);
        for (int i = 0; i < keys; i++) {
            for (int c = 0; c < width; c += LANES) {
                add(scores, i * COLUMNS + c, scale, FloatVector.fromArray(SPECIES, turned, i * width + c));
            }
        }
        return 1f;
    }

    private static void add(float[] scores, int at, float scale, FloatVector term) {
        FloatVector.fromArray(SPECIES, scores, at).fma(FloatVector.broadcast(SPECIES, scale), term).intoArray(scores, at);
    }
}
