package otherwise.models.umt5;

import static otherwise.nn.Trace.layer;
import static otherwise.nn.Trace.note;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import otherwise.autograd.Activations;
import otherwise.backend.Scope;
import otherwise.backend.ShapeException;
import otherwise.nn.RmsNorm;
import otherwise.nn.Weights;
import otherwise.tensor.Dims;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// The encoder of umT5 (wan/modules/t5.py, T5Encoder): what a video generator hears of a text.
///
/// @param tokenEmbedding `[vocab, dim]`
/// @param posEmbedding the table of relative positions that serves all blocks; `null` where each has its own
public record Umt5Encoder(
        Tensor tokenEmbedding, RelativePositions posEmbedding, List<Umt5Block> blocks, RmsNorm norm, Umt5Config config) {

    /// @throws ShapeException naming the first tensor that is missing or has another shape
    public static Umt5Encoder load(Weights w, Umt5Config c) {
        var blocks = new ArrayList<Umt5Block>();
        for (int i = 0; i < c.numLayers(); i++) blocks.add(Umt5Block.load(w.at("blocks").at(i), c));
        return new Umt5Encoder(
                w.at("token_embedding").tensor("weight", c.vocab(), c.dim()),
                c.sharedPos() ? RelativePositions.load(w.at("pos_embedding"), c) : null,
                List.copyOf(blocks),
                RmsNorm.load(w.at("norm"), c.dim(), Umt5Config.EPS),
                c);
    }

    /// The tokens' vectors, as they are in the table: ids (`i64`) `[B, L]` → `[B, L, dim]`
    ///
    /// @throws ShapeException if an id is not in the vocabulary
    public Tensor embed(Tensor ids) {
        var d = Dims.of("umt5", "B L", ids);
        for (double id : ids.doubles()) {
            if (id < 0 || id >= config.vocab()) throw new ShapeException("umt5: id " + (long) id + " of a vocabulary of " + config.vocab());
        }
        return tokenEmbedding.gatherRows(ids).reshape(d.get("B"), d.get("L"), config.dim());
    }

    /// What the tokens mean in their sentence: `[B, L, dim]` → `[B, L, dim]`. Rows of padding are computed too, and mean nothing.
    ///
    /// @param embedded as [#embed] makes them
    /// @param lengths how many tokens of each text count, those after them being padding; `null` where all do
    public Tensor encode(Tensor embedded, long[] lengths, Activations activations) {
        Dims.of("umt5", "B L " + config.dim(), embedded);
        note("token_embedding", embedded);
        var shared = posEmbedding == null ? null : note("pos_embedding", posEmbedding.bias(embedded.dim(1)));
        var x = embedded;
        for (int i = 0; i < blocks.size(); i++) {
            var block = blocks.get(i);
            var before = x;
            x = layer("blocks." + i, () -> activations.run(() -> block.forward(before, shared, lengths)));
        }
        return norm.forward(x);
    }

    /// ids `[B, L]` → `[B, L, dim]`
    ///
    /// @param lengths as above
    public Tensor forward(Tensor ids, long[] lengths) {
        return encode(embed(ids), lengths, Activations.KEEP);
    }

    /// [#encode] from weights that are read when their block's turn comes and freed after it: a checkpoint of any size takes the memory of
    /// one block. No way back.
    ///
    /// @param embedded the rows of `token_embedding.weight` for the ids, `[B, L, dim]`
    /// @param done told the number of each block that is done
    public static Tensor encodeInPieces(Weights w, Umt5Config c, Tensor embedded, IntConsumer done) {
        Dims.of("umt5", "B L " + c.dim(), embedded);
        try (var _ = Tape.off();
                var all = Scope.open()) {
            var shared = c.sharedPos() ? RelativePositions.load(w.at("pos_embedding"), c).bias(embedded.dim(1)) : null;
            var x = embedded.detach();
            for (int i = 0; i < c.numLayers(); i++) {
                try (var piece = Scope.open()) {
                    x = Umt5Block.load(w.at("blocks").at(i), c).forward(x, shared, null).detach();
                    piece.keep(x.data());
                }
                done.accept(i);
            }
            var y = RmsNorm.load(w.at("norm"), c.dim(), Umt5Config.EPS).forward(x).detach();
            all.keep(y.data());
            return y;
        }
    }

    /// The row of the table of relative positions that is for key − query = `relative`.
    public static int bucket(long relative, int numBuckets) {
        return RelativePositions.bucket(relative, numBuckets);
    }
}
