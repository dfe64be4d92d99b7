package otherwise.models.swin;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class OfficialNamesTest {

    @Test
    void everyPartIsRenamedAsItsCheckpointHasIt() {
        assertEquals("backbone.patch_embed.proj.weight", OfficialNames.of("patch_embed.proj.weight"));
        assertEquals("backbone.layers.0.blocks.1.attn.qkv.bias", OfficialNames.of("features.0.1.attn.qkv.bias"));
        assertEquals("backbone.layers.2.blocks.17.mlp.fc1.weight", OfficialNames.of("features.4.17.mlp.0.weight"));
        assertEquals("backbone.layers.3.blocks.0.mlp.fc2.bias", OfficialNames.of("features.6.0.mlp.3.bias"));
        assertEquals("backbone.layers.1.downsample.reduction.weight", OfficialNames.of("features.3.reduction.weight"));
        assertEquals("backbone.norm.weight", OfficialNames.of("norm.weight"));
        assertEquals("cls_head.fc_cls.bias", OfficialNames.of("head.bias"));
    }
}
