package otherwise.models.swin;

import java.util.ArrayList;
import java.util.List;
import otherwise.nn.Trace;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// The blocks of one resolution. Every other one has its windows shifted by half, so that what one window learns reaches the next.
record SwinStage(List<SwinBlock> blocks, SwinConfig config) {

    static SwinStage load(Weights w, int stage, SwinConfig config) {
        var blocks = new ArrayList<SwinBlock>();
        for (int i = 0; i < config.depths().get(stage); i++) {
            blocks.add(SwinBlock.load(w.at(i), config.channels(stage), config.numHeads().get(stage), config));
        }
        return new SwinStage(List.copyOf(blocks), config);
    }

    /// x `[B·T·H·W, C]` → the same
    Tensor forward(Tensor x, Grid grid) {
        var straight = Windows.of(x.backend(), grid, config.windowSize(), false);
        var shifted = blocks.size() > 1 ? Windows.of(x.backend(), grid, config.windowSize(), true) : straight;
        int length = Math.toIntExact(straight.length());
        var biasIndex = Tensor.indices(x.backend(), WindowAttention.biasIndex(config, length), (long) length * length);
        for (int i = 0; i < blocks.size(); i++) {
            var block = blocks.get(i);
            var before = x;
            var windows = i % 2 == 0 ? straight : shifted;
            x = Trace.at(Integer.toString(i), () -> block.forward(before, grid, windows, biasIndex));
            Trace.note(Integer.toString(i), grid.unfold(x));
        }
        return x;
    }
}
