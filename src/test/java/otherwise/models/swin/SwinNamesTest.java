package otherwise.models.swin;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class SwinNamesTest {

    @Test
    void everyPartIsRenamedAsItsCheckpointHasIt() {
        same("backbone.patch_embed.proj.weight", "patch_embed.proj.weight");
        same("backbone.layers.0.blocks.1.attn.qkv.bias", "features.0.1.attn.qkv.bias");
        same("backbone.layers.2.blocks.17.mlp.fc1.weight", "features.4.17.mlp.0.weight");
        same("backbone.layers.3.blocks.0.mlp.fc2.bias", "features.6.0.mlp.3.bias");
        same("backbone.layers.1.downsample.reduction.weight", "features.3.reduction.weight");
        same("backbone.norm.weight", "norm.weight");
        same("cls_head.fc_cls.bias", "head.bias");
    }

    private static void same(String theirs, String ours) {
        assertEquals(theirs, SwinNames.ORIGINAL.origin(ours).orElseThrow().names().getFirst());
        assertEquals(ours, SwinNames.ORIGINAL.ours(theirs).orElseThrow());
    }
}
