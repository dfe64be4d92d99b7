package otherwise.models.wan;

import java.util.List;
import otherwise.nn.Names;

/// The names of Wan checkpoints: the official ones, which are ours, and those of diffusers (its `WanTransformer3DModel` and
/// `AutoencoderKLWan`). Shapes and values are the same.
public final class WanNames {

    /// The transformer's, for image and text to video. The norms of a block are counted differently: official 1, 3, 2 are diffusers' 1, 2, 3.
    public static final List<Names> TRANSFORMER = List.of(
            Names.of(
                    "diffusers", "condition_embedder.time_proj.weight",
                    """
                            patch_embedding.*                        patch_embedding.*
                            text_embedding.0.*                       condition_embedder.text_embedder.linear_1.*
                            text_embedding.2.*                       condition_embedder.text_embedder.linear_2.*
                            time_embedding.0.*                       condition_embedder.time_embedder.linear_1.*
                            time_embedding.2.*                       condition_embedder.time_embedder.linear_2.*
                            time_projection.1.*                      condition_embedder.time_proj.*
                            img_emb.proj.0.*                         condition_embedder.image_embedder.norm1.*
                            img_emb.proj.1.*                         condition_embedder.image_embedder.ff.net.0.proj.*
                            img_emb.proj.3.*                         condition_embedder.image_embedder.ff.net.2.*
                            img_emb.proj.4.*                         condition_embedder.image_embedder.norm2.*
                            blocks.#.modulation                      blocks.#.scale_shift_table
                            blocks.#.norm3.*                         blocks.#.norm2.*
                            blocks.#.self_attn.q.*                   blocks.#.attn1.to_q.*
                            blocks.#.self_attn.k.*                   blocks.#.attn1.to_k.*
                            blocks.#.self_attn.v.*                   blocks.#.attn1.to_v.*
                            blocks.#.self_attn.o.*                   blocks.#.attn1.to_out.0.*
                            blocks.#.self_attn.norm_q.*              blocks.#.attn1.norm_q.*
                            blocks.#.self_attn.norm_k.*              blocks.#.attn1.norm_k.*
                            blocks.#.cross_attn.q.*                  blocks.#.attn2.to_q.*
                            blocks.#.cross_attn.k.*                  blocks.#.attn2.to_k.*
                            blocks.#.cross_attn.v.*                  blocks.#.attn2.to_v.*
                            blocks.#.cross_attn.o.*                  blocks.#.attn2.to_out.0.*
                            blocks.#.cross_attn.norm_q.*             blocks.#.attn2.norm_q.*
                            blocks.#.cross_attn.norm_k.*             blocks.#.attn2.norm_k.*
                            blocks.#.cross_attn.k_img.*              blocks.#.attn2.add_k_proj.*
                            blocks.#.cross_attn.v_img.*              blocks.#.attn2.add_v_proj.*
                            blocks.#.cross_attn.norm_k_img.*         blocks.#.attn2.norm_added_k.*
                            blocks.#.ffn.0.*                         blocks.#.ffn.net.0.proj.*
                            blocks.#.ffn.2.*                         blocks.#.ffn.net.2.*
                            head.modulation                          scale_shift_table
                            head.head.*                              proj_out.*
                            """,
                    // Written by early converters for image to video; diffusers itself does not read it.
                    "blocks.#.attn2.norm_added_q.weight"),
            Names.own("official", "time_projection.1.weight"));

    /// Official residual blocks, after the name of the block: `ours theirs`.
    private static final List<String> RESIDUAL = List.of(
            "residual.0.* norm1.*", "residual.2.* conv1.*", "residual.3.* norm2.*", "residual.6.* conv2.*", "shortcut.* conv_shortcut.*");

    private static final int MOST_LEVELS = 8;

    private WanNames() {}

    /// The autoencoder's. The official decoder is one list of layers; diffusers gives each level a block of its own, with `numResBlocks` + 1
    /// residual blocks and, except at the last level, an upsampler behind them.
    public static List<Names> vae(int numResBlocks) {
        var rules = new StringBuilder("""
                conv1.*             quant_conv.*
                conv2.*             post_quant_conv.*
                encoder.conv1.*     encoder.conv_in.*
                decoder.conv1.*     decoder.conv_in.*
                """);
        residual(rules, "encoder.downsamples.#", "encoder.down_blocks.#");
        rules.append("encoder.downsamples.#.*  encoder.down_blocks.#.*\n");
        int layer = 0;
        for (int level = 0; level < MOST_LEVELS; level++) {
            var block = "decoder.up_blocks." + level;
            for (int i = 0; i <= numResBlocks; i++) residual(rules, "decoder.upsamples." + layer++, block + ".resnets." + i);
            rules.append("decoder.upsamples.%d.* %s.upsamplers.0.*%n".formatted(layer++, block));
        }
        for (var half : List.of("encoder", "decoder")) {
            residual(rules, half + ".middle.0", half + ".mid_block.resnets.0");
            residual(rules, half + ".middle.2", half + ".mid_block.resnets.1");
            rules.append("%1$s.middle.1.* %1$s.mid_block.attentions.0.*%n".formatted(half));
            rules.append("%1$s.head.0.* %1$s.norm_out.*%n%1$s.head.2.* %1$s.conv_out.*%n".formatted(half));
        }
        return List.of(
                Names.of("diffusers", "encoder.conv_in.weight", rules.toString()),
                Names.own("official", "encoder.conv1.weight"));
    }

    private static void residual(StringBuilder rules, String ours, String theirs) {
        for (var rule : RESIDUAL) {
            var sides = rule.split(" ");
            rules.append("%s.%s %s.%s%n".formatted(ours, sides[0], theirs, sides[1]));
        }
    }
}
