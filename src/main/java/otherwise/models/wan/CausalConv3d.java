package otherwise.models.wan;

import otherwise.nn.Conv3d;
import otherwise.nn.Weights;
import otherwise.tensor.Conv3d.Geometry;
import otherwise.tensor.Tensor;

/// A convolution that never sees the future: zeros, or the frames before, stand in front of the clip and nothing behind it.
record CausalConv3d(Conv3d conv) {

    /// With a cubic kernel, as most are.
    static CausalConv3d load(Weights w, long in, long out, long kernel) {
        return new CausalConv3d(Conv3d.load(w, in, out, kernel, kernel, kernel));
    }

    /// With a kernel over time alone.
    static CausalConv3d loadTemporal(Weights w, long in, long out, long kernel) {
        return new CausalConv3d(Conv3d.load(w, in, out, kernel, 1, 1));
    }

    /// `[B, in, T, H, W]` → `[B, out, T, H, W]`
    Tensor forward(Tensor x, Past past) {
        int reach = (int) conv.weight().dim(2) - 1;
        int h = (int) conv.weight().dim(3) / 2;
        int w = (int) conv.weight().dim(4) / 2;
        var frames = reach == 0 ? x : past.before(this, x);
        past.keep(this, frames, reach);
        int missing = (int) (reach - (frames.dim(2) - x.dim(2)));
        if (missing == reach && frames.dim(2) == 1) {
            // A frame alone: every tap but the newest would meet zeros, so they are not asked.
            var newest = new Conv3d(conv.weight().slice(2, reach, reach + 1), conv.bias());
            return newest.forward(frames, new Geometry(1, 1, 1, 0, 0, h, h, w, w));
        }
        return conv.forward(frames, new Geometry(1, 1, 1, missing, 0, h, h, w, w));
    }
}
