package otherwise.backend.cuda;

import java.util.List;
import otherwise.backend.cuda.Convolution.Axis;

/// How a convolution is cut into slabs, each of which is packed into scratch memory by itself: so many samples, positions along time and
/// positions along height. It depends on the sizes alone.
///
/// Slabs read into each other where the kernel is longer than one; of all sizes that fit, those that read the least are taken.
///
/// @param elements of the largest packed slab, by 16 bytes
record ConvolutionSlabs(long batches, long t, long h, long elements) {

    /// What the positions of an axis read, in all phases: position u elements from `u·stride + low` up to `u·stride + high`, without it.
    record Reach(long columns, long source, long stride, long low, long high) {
        static Reach of(List<Axis> phases) {
            long columns = 0;
            long low = Long.MAX_VALUE;
            long high = Long.MIN_VALUE;
            for (var a : phases) {
                long last = a.first() + Math.max(0, a.taps() - 1) * a.turn();
                columns = Math.max(columns, a.columns());
                low = Math.min(low, Math.min(a.first(), last));
                high = Math.max(high, Math.max(a.first(), last) + 1);
            }
            var any = phases.getFirst();
            return new Reach(columns, any.source(), any.stride(), low, high);
        }

        /// The first element that positions from `u` on read.
        long from(long u) {
            return Math.clamp(u * stride + low, 0, source);
        }

        /// How many elements from there on `n` positions read.
        long size(long u, long n) {
            return Math.max(0, Math.clamp((u + n - 1) * stride + high, 0, source) - from(u));
        }

        /// The most that `n` positions read.
        long most(long n) {
            return Math.min(source, (n - 1) * stride + high - low);
        }

        /// The most positions that read no more than `n` elements.
        long fitting(long n) {
            if (n >= source) return columns;
            return n < high - low ? 0 : Math.min(columns, (n - (high - low)) / stride + 1);
        }
    }

    /// @param row what a packed row takes, by 16 bytes
    /// @param limit of a slab, likewise; a slab of one row of one frame may be larger
    /// @param unit of positions along height that are computed together: a slab has a multiple of it, if that many fit
    static ConvolutionSlabs of(long batch, Reach t, Reach h, long row, long limit, long unit) {
        long sample = t.most(t.columns) * h.most(h.columns) * row;
        if (sample <= limit) {
            long batches = Math.clamp(limit / Math.max(1, sample), 1, batch);
            return new ConvolutionSlabs(batches, t.columns, h.columns, batches * sample);
        }
        ConvolutionSlabs best = null;
        long least = Long.MAX_VALUE;
        for (long frames = 1; frames <= t.columns; frames++) {
            long rows = h.fitting(limit / (t.most(frames) * row));
            if (rows < Math.min(unit, h.columns) && frames > 1) break;
            rows = Math.max(1, rows);
            if (rows > unit && rows < h.columns) rows -= rows % unit;
            long pieces = Math.ceilDiv(t.columns, frames) * Math.ceilDiv(h.columns, rows);
            long size = t.most(frames) * h.most(rows) * row;
            if (pieces * size > least) continue;
            least = pieces * size;
            best = new ConvolutionSlabs(1, frames, rows, size);
        }
        return best;
    }
}
