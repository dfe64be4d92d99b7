package otherwise.models.umt5;

import java.util.List;
import otherwise.nn.Names;

/// The names of umT5 encoder checkpoints: the official ones of Wan 2.1, which are ours, and those of transformers' `UMT5EncoderModel`.
/// Shapes and values are the same.
public final class Umt5Names {

    public static final List<Names> ALL = List.of(
            Names.of(
                    "transformers", "encoder.block.0.layer.0.SelfAttention.q.weight",
                    """
                            token_embedding.*                     shared.*
                            norm.*                                encoder.final_layer_norm.*
                            blocks.#.norm1.*                      encoder.block.#.layer.0.layer_norm.*
                            blocks.#.attn.q.*                     encoder.block.#.layer.0.SelfAttention.q.*
                            blocks.#.attn.k.*                     encoder.block.#.layer.0.SelfAttention.k.*
                            blocks.#.attn.v.*                     encoder.block.#.layer.0.SelfAttention.v.*
                            blocks.#.attn.o.*                     encoder.block.#.layer.0.SelfAttention.o.*
                            blocks.#.pos_embedding.embedding.*    encoder.block.#.layer.0.SelfAttention.relative_attention_bias.*
                            blocks.#.norm2.*                      encoder.block.#.layer.1.layer_norm.*
                            blocks.#.ffn.gate.0.*                 encoder.block.#.layer.1.DenseReluDense.wi_0.*
                            blocks.#.ffn.fc1.*                    encoder.block.#.layer.1.DenseReluDense.wi_1.*
                            blocks.#.ffn.fc2.*                    encoder.block.#.layer.1.DenseReluDense.wo.*
                            """,
                    // The embedding once more, under its other name; and what a whole umT5 has behind the encoder.
                    "encoder.embed_tokens.weight", "decoder.*", "lm_head.weight"),
            Names.own("official", "blocks.0.ffn.gate.0.weight"));

    private Umt5Names() {}
}
