package otherwise.models.wan;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import otherwise.backend.Backend;
import otherwise.nn.RmsNorm;
import otherwise.tensor.Tensor;

/// Where the tokens of a batch lie in frame, row and column: the angles by which rotary embedding turns queries and keys, and how many
/// tokens of each sample are real.
///
/// @param angles one entry for the whole batch, or one a sample where their grids differ
/// @param lengths real tokens of each sample; the rest is padding. `null`: all are real
public record Positions(List<Angles> angles, long[] lengths) {

    /// cos and sin, each `[L, D/2]`
    public record Angles(Tensor cos, Tensor sin) {}

    /// Those of one video of `frames × rows × columns` patches.
    public static Positions of(Backend backend, int headDim, long frames, long rows, long columns) {
        var grid = new Grid(frames, rows, columns);
        return of(backend, headDim, List.of(grid), grid.tokens());
    }

    /// @param length tokens of every sample, padding included; padding is not turned
    static Positions of(Backend backend, int headDim, List<Grid> grids, long length) {
        boolean alike = grids.stream().distinct().count() == 1;
        var angles = (alike ? grids.subList(0, 1) : grids).stream().map(g -> table(backend, headDim, g, length)).toList();
        boolean full = grids.stream().allMatch(g -> g.tokens() == length);
        return new Positions(angles, full ? null : grids.stream().mapToLong(Grid::tokens).toArray());
    }

    /// q `[B, L, N, D]`, normalised over all heads together unless `norm` is `null`, then every head's adjacent pairs turned by the
    /// angle of their token.
    Tensor turn(Tensor q, RmsNorm norm) {
        if (angles.size() == 1) return turn(q, norm, angles.getFirst());
        var samples = new ArrayList<Tensor>();
        for (int b = 0; b < angles.size(); b++) samples.add(turn(q.slice(0, b, b + 1), norm, angles.get(b)));
        return Tensor.concat(0, samples);
    }

    private static Tensor turn(Tensor q, RmsNorm norm, Angles a) {
        return norm == null ? q.rope(a.cos, a.sin) : q.rmsNormRope(norm.weight(), norm.eps(), a.cos, a.sin);
    }

    /// The D/2 angles of position p on all three axes: first those of the frame, then of the row, then of the column. Row and column have a
    /// third of the pairs each, rounded down, and the frame has the rest.
    ///
    ///     angle_k = p · 10000^(−k/pairs of the axis)
    public static double[] angles(int headDim, long p) {
        int spatial = headDim / 6;
        int temporal = headDim / 2 - 2 * spatial;
        var angles = new double[headDim / 2];
        for (int j = 0; j < angles.length; j++) {
            int k = j < temporal ? j : (j - temporal) % spatial;
            angles[j] = p * Math.pow(10000, -k / (double) (j < temporal ? temporal : spatial));
        }
        return angles;
    }

    /// Computed in double precision on the host and rounded once. A token takes each part of its row from its position on that axis.
    private static Angles table(Backend backend, int headDim, Grid grid, long length) {
        int half = headDim / 2;
        int spatial = headDim / 6;
        int temporal = half - 2 * spatial;
        int longest = (int) Math.max(grid.frames(), Math.max(grid.rows(), grid.columns()));
        var cosAt = new double[longest][];
        var sinAt = new double[longest][];
        for (int p = 0; p < longest; p++) {
            cosAt[p] = Arrays.stream(angles(headDim, p)).map(Math::cos).toArray();
            sinAt[p] = Arrays.stream(angles(headDim, p)).map(Math::sin).toArray();
        }
        var cos = new double[Math.toIntExact(length * half)];
        var sin = new double[cos.length];
        Arrays.fill(cos, 1);
        int at = 0;
        for (int f = 0; f < grid.frames(); f++) {
            for (int r = 0; r < grid.rows(); r++) {
                for (int c = 0; c < grid.columns(); c++, at += half) {
                    for (int j = 0; j < half; j++) {
                        int p = j < temporal ? f : j < temporal + spatial ? r : c;
                        cos[at + j] = cosAt[p][j];
                        sin[at + j] = sinAt[p][j];
                    }
                }
            }
        }
        return new Angles(Tensor.of(backend, cos, length, half), Tensor.of(backend, sin, length, half));
    }
}
