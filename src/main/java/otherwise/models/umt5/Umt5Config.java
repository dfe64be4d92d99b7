package otherwise.models.umt5;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.function.Function;
import otherwise.backend.Shape;

/// The sizes of a [Umt5Encoder], named as in the official code (wan/modules/t5.py, T5Encoder).
///
/// @param vocab how many ids there are
/// @param dim width of a token
/// @param dimAttn width of queries, keys and values, all heads together
/// @param dimFfn width inside the feed-forward layers
/// @param numBuckets how many distances between two tokens are told apart, both directions together
/// @param sharedPos whether one table of relative positions serves all blocks; umT5 has one in every block
public record Umt5Config(int vocab, int dim, int dimAttn, int dimFfn, int numHeads, int numLayers, int numBuckets, boolean sharedPos) {

    /// ε of all norms. The official code has no other.
    static final double EPS = 1e-6;

    /// @throws IllegalArgumentException if the sizes do not fit together
    public Umt5Config {
        if (vocab < 1 || dim < 1 || dimFfn < 1) {
            throw new IllegalArgumentException("no encoder has vocab " + vocab + ", dim " + dim + ", dim_ffn " + dimFfn);
        }
        if (numHeads < 1 || dimAttn < 1 || dimAttn % numHeads != 0) {
            throw new IllegalArgumentException("dim_attn " + dimAttn + " does not divide into " + numHeads + " heads");
        }
        if (numLayers < 1) throw new IllegalArgumentException("an encoder needs a block, not " + numLayers);
        // A quarter of the buckets are single distances; the logarithm needs one at least.
        if (numBuckets < 4 || numBuckets % 2 != 0)
            throw new IllegalArgumentException("num_buckets " + numBuckets + " is not even and at least 4");
    }

    /// The encoder of umT5-XXL, to which Wan2.1 listens (wan/modules/t5.py, umt5_xxl): 5.7 billion parameters.
    public static Umt5Config xxl() {
        return new Umt5Config(256384, 4096, 4096, 10240, 64, 24, 32, false);
    }

    /// From JSON with the official names.
    ///
    /// @throws IllegalArgumentException naming a missing or unfitting entry
    public static Umt5Config of(JsonNode json) {
        return new Umt5Config(
                size(json, "vocab"),
                size(json, "dim"),
                size(json, "dim_attn"),
                size(json, "dim_ffn"),
                size(json, "num_heads"),
                size(json, "num_layers"),
                json.path("num_buckets").asInt(32),
                json.path("shared_pos").asBoolean(false));
    }

    private static int size(JsonNode json, String name) {
        int size = json.path(name).asInt(0);
        if (size < 1) throw new IllegalArgumentException("the text encoder's configuration has no positive '" + name + "'");
        return size;
    }

    /// From a checkpoint's shapes alone, which leave nothing open.
    ///
    /// @param shapes the shape of the tensor of a name, or `null` if there is none
    /// @throws IllegalArgumentException naming a tensor that is missing or has an unfitting rank
    public static Umt5Config ofShapes(Function<String, Shape> shapes) {
        boolean shared = shapes.apply("pos_embedding.embedding.weight") != null;
        var tokens = matrix(shapes, "token_embedding.weight");
        var positions = matrix(shapes, (shared ? "" : "blocks.0.") + "pos_embedding.embedding.weight");
        int layers = 0;
        while (shapes.apply("blocks." + layers + ".norm1.weight") != null) layers++;
        return new Umt5Config(
                Math.toIntExact(tokens.dim(0)),
                Math.toIntExact(tokens.dim(1)),
                Math.toIntExact(matrix(shapes, "blocks.0.attn.q.weight").dim(0)),
                Math.toIntExact(matrix(shapes, "blocks.0.ffn.fc1.weight").dim(0)),
                Math.toIntExact(positions.dim(1)),
                layers,
                Math.toIntExact(positions.dim(0)),
                shared);
    }

    private static Shape matrix(Function<String, Shape> shapes, String name) {
        var shape = shapes.apply(name);
        if (shape == null) throw new IllegalArgumentException("no umT5 encoder: there is no tensor " + name);
        if (shape.rank() != 2) throw new IllegalArgumentException("no umT5 encoder: " + name + " is " + shape + ", not a matrix");
        return shape;
    }

    /// Width of one attention head.
    public int headDim() {
        return dimAttn / numHeads;
    }
}
