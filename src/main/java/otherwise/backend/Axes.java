package otherwise.backend;

import java.util.Arrays;
import java.util.stream.IntStream;

/// The axes that several arrays are walked along together, with the strides of each; as few axes as possible.
///
/// @param dims sizes, slowest first; at least one axis
/// @param strides one row an array
public record Axes(long[] dims, long[][] strides) {

    /// Drops axes of size 1 and merges neighbours that every array walks through evenly.
    public static Axes merged(long[] dims, long[]... strides) {
        int arrays = strides.length;
        var d = new long[Math.max(1, dims.length)];
        var s = new long[arrays][d.length];
        int n = 0;
        for (int i = 0; i < dims.length; i++) {
            if (dims[i] == 1) continue;
            boolean even = n > 0;
            for (int a = 0; a < arrays && even; a++) even = s[a][n - 1] == strides[a][i] * dims[i];
            int at = even ? n - 1 : n++;
            d[at] = even ? d[at] * dims[i] : dims[i];
            for (int a = 0; a < arrays; a++) s[a][at] = strides[a][i];
        }
        if (n == 0) {
            d[0] = 1;
            n = 1;
        }
        var kept = new long[arrays][];
        for (int a = 0; a < arrays; a++) kept[a] = Arrays.copyOf(s[a], n);
        return new Axes(Arrays.copyOf(d, n), kept);
    }

    public int rank() {
        return dims.length;
    }

    /// The size of the fastest axis.
    public long inner() {
        return dims[dims.length - 1];
    }

    /// The stride of array `a` along the fastest axis.
    public long innerStride(int a) {
        return strides[a][dims.length - 1];
    }

    public long size() {
        long n = 1;
        for (long d : dims) n *= d;
        return n;
    }

    /// Whether array `a` lies in packs of `n` neighbours along the fastest axis, all of which begin at a multiple of `n` elements.
    public boolean hasPacks(int a, long n) {
        if (innerStride(a) != 1 || inner() % n != 0) return false;
        return Arrays.stream(strides[a], 0, rank() - 1).allMatch(stride -> stride % n == 0);
    }

    /// The same way in steps of `n` elements along the fastest axis; strides go on counting elements.
    public Axes inPacks(long n) {
        int last = rank() - 1;
        var d = dims.clone();
        d[last] /= n;
        var s = new long[strides.length][];
        for (int a = 0; a < s.length; a++) {
            s[a] = strides[a].clone();
            s[a][last] *= n;
        }
        return new Axes(d, s);
    }

    /// The other axes.
    public Axes without(int first, int second) {
        var kept = IntStream.range(0, dims.length).filter(i -> i != first && i != second).toArray();
        var d = Arrays.stream(kept).mapToLong(i -> dims[i]).toArray();
        var s = new long[strides.length][];
        for (int a = 0; a < s.length; a++) {
            var from = strides[a];
            s[a] = Arrays.stream(kept).mapToLong(i -> from[i]).toArray();
        }
        return new Axes(d, s);
    }

    /// A walk over all axes but the `skipped` fastest.
    public Walk walk(int skipped, long start) {
        return new Walk(this, dims.length - skipped, start);
    }

    /// An odometer: where each array stands at the current index.
    public static final class Walk {
        private final Axes axes;
        private final int rank;
        private final long[] index;
        private final long[] offset;

        private Walk(Axes axes, int rank, long start) {
            this.axes = axes;
            this.rank = rank;
            this.index = new long[rank];
            this.offset = new long[axes.strides.length];
            long rest = start;
            for (int i = rank - 1; i >= 0; i--) {
                index[i] = rest % axes.dims[i];
                rest /= axes.dims[i];
                for (int a = 0; a < offset.length; a++) offset[a] += index[i] * axes.strides[a][i];
            }
        }

        /// The element of array `a` at the current index.
        public long offset(int a) {
            return offset[a];
        }

        public void next() {
            for (int i = rank - 1; i >= 0; i--) {
                boolean carry = ++index[i] == axes.dims[i];
                for (int a = 0; a < offset.length; a++) offset[a] += carry ? -(axes.dims[i] - 1) * axes.strides[a][i] : axes.strides[a][i];
                if (!carry) return;
                index[i] = 0;
            }
        }
    }
}
