package otherwise.models.clip;

import java.util.List;
import otherwise.nn.Names;

/// The names of CLIP checkpoints. The official file of Wan 2.1 holds image and text encoder, ours being below `visual.`; transformers'
/// `CLIPVisionModel` keeps queries, keys and values apart, and two tables without their axes of size 1.
public final class ClipNames {
    /// What follows the last block, and the texts' half.
    private static final String[] SPARE = {
        "head", "post_norm.*", "textual.*", "log_scale", "text_model.*", "text_projection.*", "logit_scale",
        "vision_model.embeddings.position_ids"};

    public static final List<Names> ALL = List.of(
            Names.of(
                    "transformers", "vision_model.embeddings.class_embedding",
                    """
                            cls_embedding                 vision_model.embeddings.class_embedding              +2
                            pos_embedding                 vision_model.embeddings.position_embedding.weight    +1
                            patch_embedding.*             vision_model.embeddings.patch_embedding.*
                            pre_norm.*                    vision_model.pre_layrnorm.*
                            post_norm.*                   vision_model.post_layernorm.*
                            head                          visual_projection.weight                             T
                            transformer.#.norm1.*         vision_model.encoder.layers.#.layer_norm1.*
                            transformer.#.norm2.*         vision_model.encoder.layers.#.layer_norm2.*
                            transformer.#.attn.to_qkv.*   vision_model.encoder.layers.#.self_attn.q_proj.* \
                                    vision_model.encoder.layers.#.self_attn.k_proj.* vision_model.encoder.layers.#.self_attn.v_proj.*
                            transformer.#.attn.proj.*     vision_model.encoder.layers.#.self_attn.out_proj.*
                            transformer.#.mlp.0.*         vision_model.encoder.layers.#.mlp.fc1.*
                            transformer.#.mlp.2.*         vision_model.encoder.layers.#.mlp.fc2.*
                            """,
                    SPARE),
            Names.of("official, with the text encoder", "visual.cls_embedding", "* visual.*", SPARE),
            Names.own("official", "cls_embedding", SPARE));

    private ClipNames() {}
}
