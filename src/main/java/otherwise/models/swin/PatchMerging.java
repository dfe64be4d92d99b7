package otherwise.models.swin;

import otherwise.nn.LayerNorm;
import otherwise.nn.Linear;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// Four neighbours of a frame become one token of twice the channels: `[B·T·H·W, C]` → `[B·T·⌈H/2⌉·⌈W/2⌉, 2C]`. Odd sizes are filled up
/// with zeros; time stays.
record PatchMerging(LayerNorm norm, Linear reduction) {

    static PatchMerging load(Weights w, int c, double eps) {
        return new PatchMerging(LayerNorm.load(w.at("norm"), 4L * c, eps), Linear.loadPlain(w.at("reduction"), 4L * c, 2L * c));
    }

    static Grid merged(Grid grid) {
        return new Grid(grid.b(), grid.t(), (grid.h() + 1) / 2, (grid.w() + 1) / 2);
    }

    Tensor forward(Tensor x, Grid grid) {
        var neighbours = Tensor.indices(x.backend(), neighbours(grid), 4 * merged(grid).tokens());
        return reduction.forward(norm.forward(x.gatherRows(neighbours).reshape(merged(grid).tokens(), 4 * x.dim(1))));
    }

    /// Rows of the four neighbours in the official order: both even, odd row, odd column, both odd.
    private static long[] neighbours(Grid grid) {
        var half = merged(grid);
        var index = new long[Math.toIntExact(4 * half.tokens())];
        int at = 0;
        for (long b = 0; b < grid.b(); b++) {
            for (long t = 0; t < grid.t(); t++) {
                for (long h = 0; h < half.h(); h++) {
                    for (long w = 0; w < half.w(); w++) {
                        index[at++] = grid.row(b, t, 2 * h, 2 * w);
                        index[at++] = grid.row(b, t, 2 * h + 1, 2 * w);
                        index[at++] = grid.row(b, t, 2 * h, 2 * w + 1);
                        index[at++] = grid.row(b, t, 2 * h + 1, 2 * w + 1);
                    }
                }
            }
        }
        return index;
    }
}
