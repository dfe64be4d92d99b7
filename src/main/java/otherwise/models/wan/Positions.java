package otherwise.models.wan;

import java.util.ArrayList;
import java.util.List;
import otherwise.backend.Backend;
import otherwise.tensor.Tensor;

/// Where the tokens of a batch lie in frame, row and column: the angles by which rotary embedding turns queries and keys, and how many
/// tokens of each sample are real.
///
/// @param angles one entry for the whole batch, or one a sample where their grids differ
/// @param lengths real tokens of each sample; the rest is padding. `null`: all are real
public record Positions(List<Angles> angles, long[] lengths) {

    /// cos and sin, each `[L, D/2]`
    public record Angles(Tensor cos, Tensor sin) {}

    /// @param length tokens of every sample, padding included; padding is not turned
    static Positions of(Backend backend, int headDim, List<Grid> grids, long length) {
        boolean alike = grids.stream().distinct().count() == 1;
        var angles = (alike ? grids.subList(0, 1) : grids)
                .stream().map(g -> table(backend, headDim, g, length)).toList();
        boolean full = grids.stream().allMatch(g -> g.tokens() == length);
        return new Positions(angles, full ? null : grids.stream().mapToLong(Grid::tokens).toArray());
    }

    /// q `[B, L, N, D]`, every head's adjacent pairs turned by the angle of their token.
    Tensor turn(Tensor q) {
        if (angles.size() == 1) return q.rope(angles.getFirst().cos, angles.getFirst().sin);
        var samples = new ArrayList<Tensor>();
        for (int b = 0; b < angles.size(); b++) samples.add(q.slice(0, b, b + 1).rope(angles.get(b).cos, angles.get(b).sin));
        return Tensor.concat(0, samples);
    }

    /// The D/2 angles of a token: for frame, row and column in turn, position · 10000^(−2k/width), where the `width` of an axis is twice
    /// its number of pairs: a third of them, rounded down, for row and for column, and the rest for the frame.
    public static double[] angles(int headDim, long frame, long row, long column) {
        int spatial = headDim / 6;
        int temporal = headDim / 2 - 2 * spatial;
        var angles = new double[headDim / 2];
        for (int j = 0; j < angles.length; j++) {
            int axis = j < temporal ? 0 : 1 + (j - temporal) / spatial;
            int k = axis == 0 ? j : (j - temporal) % spatial;
            long position = axis == 0 ? frame : axis == 1 ? row : column;
            angles[j] = position * Math.pow(10000, -k / (double) (axis == 0 ? temporal : spatial));
        }
        return angles;
    }

    /// In double precision on the host, rounded once.
    private static Angles table(Backend backend, int headDim, Grid grid, long length) {
        int half = headDim / 2;
        var cos = new double[Math.toIntExact(length * half)];
        var sin = new double[cos.length];
        java.util.Arrays.fill(cos, 1);
        int at = 0;
        for (long f = 0; f < grid.frames(); f++) {
            for (long r = 0; r < grid.rows(); r++) {
                for (long c = 0; c < grid.columns(); c++) {
                    for (double angle : angles(headDim, f, r, c)) {
                        cos[at] = Math.cos(angle);
                        sin[at++] = Math.sin(angle);
                    }
                }
            }
        }
        return new Angles(Tensor.of(backend, cos, length, half), Tensor.of(backend, sin, length, half));
    }
}
