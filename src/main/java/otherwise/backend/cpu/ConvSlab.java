package otherwise.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// How a convolution is cut into slabs, and what a slab of its input looks like.
///
/// A slab holds, for `blockT` × `blockH` rows of output, every input element that they read, with the zeros of the padding written out:
///
///     [channel, slice, phase, row, pitch]        slice: time · phase: h and w modulo the stride · row, pitch: over it
///
/// So for every tap, output position p = h·pitch + w of a time step reads the slab at a fixed distance from p: neighbours in p are
/// neighbours in memory, over the ends of rows too, and [GemmKernel] needs only a table with one distance a tap. What it computes
/// between the end of one row and the start of the next (`pitch − outW` positions) is left out when results are stored.
///
/// `front…` may be negative here: then that many elements at the start of an axis are never read.
record ConvSlab(
        MemorySegment x,
        int channels,
        long t,
        long h,
        long w,
        int frontT,
        int frontH,
        int frontW,
        int kernelT,
        int kernelH,
        int kernelW,
        int strideT,
        int strideH,
        int strideW,
        long outT,
        long outH,
        int outW,
        int blockT,
        int blockH) {

    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

    /// Floats of a slab that leave room for the weights and the results in a second-level cache of 1 to 2 MiB.
    private static final long ROOM = 160_000;

    /// How many slabs there should be at least for a few threads to end together, if none gets too small by it.
    private static final long SLABS = 16;

    /// How much slower it goes where a slab is larger than that.
    private static final double FAR = 1.1;

    /// Floats of a slab that every thread may be expected to have room for.
    private static final double MOST = 2_000_000;

    /// Multiply-adds in the time in which an element is copied into a slab.
    private static final double COPY = 25;

    /// The least multiply-adds of a slab.
    private static final double WORK = 2e6;

    /// The same convolution, cut so that as little as possible is computed between rows and read twice, and slabs fit the cache.
    ///
    /// @param work multiply-adds of one output position
    ConvSlab cut(long batch, double work) {
        ConvSlab best = null;
        double least = Double.MAX_VALUE;
        for (long nt = 1; nt <= outT; nt = Math.max(nt + 1, nt * 5 / 4)) {
            int bt = (int) ((outT + nt - 1) / nt);
            for (long nh = 1; nh <= outH; nh = Math.max(nh + 1, nh * 5 / 4)) {
                int bh = (int) ((outH + nh - 1) / nh);
                var c = new ConvSlab(
                        x, channels, t, h, w, frontT, frontH, frontW, kernelT, kernelH, kernelW, strideT, strideH, strideW, outT, outH,
                        outW, bt, bh);
                double slabs = batch * c.slabs();
                double computed = work * bt * c.room();
                double near = c.size() <= ROOM ? 1 : FAR * Math.max(1, (double) c.size() / MOST);
                double small = Math.max(1, WORK / computed);
                double few = Math.max(1, SLABS / slabs);
                double cost = slabs * (computed * near + COPY * c.size()) * Math.min(small, few);
                if (cost < least) {
                    least = cost;
                    best = c;
                }
            }
        }
        return best;
    }

    /// Output positions of a time step of a whole slab, with those between rows, as tiles of [GemmKernel#COLUMNS].
    int room() {
        int positions = (blockH - 1) * pitch() + outW;
        return (positions + GemmKernel.COLUMNS - 1) / GemmKernel.COLUMNS * GemmKernel.COLUMNS;
    }

    /// Slabs of one batch entry.
    long slabs() {
        return slabsT() * slabsH();
    }

    long slabsT() {
        return (outT + blockT - 1) / blockT;
    }

    long slabsH() {
        return (outH + blockH - 1) / blockH;
    }

    int slices() {
        return (blockT - 1) * strideT + kernelT;
    }

    int rows() {
        return blockH + (kernelH - 1) / strideH;
    }

    int pitch() {
        return outW + (kernelW - 1) / strideW;
    }

    // A stride longer than the kernel leaves phases that nothing reads.
    private int phasesH() {
        return Math.min(strideH, kernelH);
    }

    private int phasesW() {
        return Math.min(strideW, kernelW);
    }

    private int plane() {
        return rows() * pitch();
    }

    private int slice() {
        return phasesH() * phasesW() * plane();
    }

    /// From one channel to the next.
    int channel() {
        return slices() * slice();
    }

    long size() {
        return (long) channels * channel();
    }

    /// Where output time step `i` of the slab begins to read.
    int start(int i) {
        return i * strideT * slice();
    }

    /// How far from its output position a tap reads.
    int distance(int channel, int dt, int dh, int dw) {
        return channel * channel() + dt * slice() + (dh % strideH * phasesW() + dw % strideW) * plane() + dh / strideH * pitch()
                + dw / strideW;
    }

    /// The first tap along t of output time step `time` that does not see the padding in front.
    int firstTap(long time) {
        return Math.clamp(frontT - time * strideT, 0, kernelT);
    }

    /// One more than its last tap along t that does not see the padding after the end; at least [#firstTap].
    int endTap(long time) {
        return Math.clamp(t + frontT - time * strideT, firstTap(time), kernelT);
    }

    /// One distance a tap: over t, then channels, h and w.
    int[] distances() {
        var d = new int[kernelT * channels * kernelH * kernelW];
        int i = 0;
        for (int dt = 0; dt < kernelT; dt++)
            for (int c = 0; c < channels; c++)
                for (int dh = 0; dh < kernelH; dh++) for (int dw = 0; dw < kernelW; dw++) d[i++] = distance(c, dt, dh, dw);
        return d;
    }

    /// Copies the input of `nt` × `nh` output rows from (t0, h0) on.
    ///
    /// @param plane0 the first plane (batch entry · channels + channel) of x
    void fill(float[] to, long plane0, int t0, int nt, int h0, int nh) {
        int usedSlices = (nt - 1) * strideT + kernelT;
        int usedRows = nh + (kernelH - 1) / strideH;
        for (int c = 0; c < channels; c++) {
            for (int s = 0; s < usedSlices; s++) {
                int at = c * channel() + s * slice();
                long time = (long) t0 * strideT + s - frontT;
                if (time < 0 || time >= t) continue; // no tap reads it: see firstTap
                long from = ((plane0 + c) * t + time) * h * w;
                for (int ph = 0; ph < phasesH(); ph++) {
                    long first = (long) h0 * strideH + ph - frontH;
                    for (int pw = 0; pw < phasesW(); pw++) {
                        plane(to, at + (ph * phasesW() + pw) * plane(), from, first, usedRows, pw);
                    }
                }
            }
        }
    }

    /// One phase of one time step: input rows `first`, `first + strideH`, …
    private void plane(float[] to, int at, long from, long first, int rows, int phase) {
        int pitch = pitch();
        // Column j is input column j·strideW + phase − frontW: those that exist are start … end - 1.
        int start = Math.clamp(Math.ceilDiv(frontW - phase, strideW), 0, pitch);
        int end = Math.clamp(Math.ceilDiv(w + frontW - phase, (long) strideW), start, pitch);
        for (int q = 0; q < rows; q++, at += pitch) {
            long row = first + (long) q * strideH;
            if (row < 0 || row >= h) {
                Arrays.fill(to, at, at + pitch, 0f);
                continue;
            }
            long source = from + row * w + (long) start * strideW + phase - frontW;
            for (int j = 0; j < start; j++) to[at + j] = 0f;
            if (strideW == 1) {
                Pack.copy(x, source, to, at + start, end - start);
            } else {
                for (int j = start; j < end; j++, source += strideW) to[at + j] = x.getAtIndex(FLOAT, source);
            }
            for (int j = end; j < pitch; j++) to[at + j] = 0f;
        }
    }
}
