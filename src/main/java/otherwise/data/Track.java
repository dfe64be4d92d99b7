package otherwise.data;

import java.util.Arrays;

/// What [Tracker] saw move, frame by frame, and what follows from it. Lengths are in pixels of the video that was given.
///
/// @param x the object's centroid in each frame, column; NaN where nothing was seen
/// @param y likewise, row
/// @param area pixels that the object covers in each frame, partly covered ones in part
/// @param components separate objects: the most seen in any frame, or 0 if some frame has none
/// @param straightness `1 - r/d`, with `d` the net displacement and `r` the largest distance of a centroid from straight constant
///     motion: 1 is perfect, a teleport halfway gives 0.5
/// @param jump the longest step between neighbouring frames beyond the mean step, as a share of the object's width
/// @param colorDrift largest change of the object's mean colour from the first frames', as a share of its distance from the background
/// @param shapeDrift `1 - IoU` of the centred, time-averaged masks: the largest between the first quarter of the frames and any later one
/// @param direction the class whose axis the net displacement follows, or -1 if none
/// @param object the object's pixels in each frame, soft edge included, `[T][H·W]`
public record Track(
        double[] x,
        double[] y,
        double[] area,
        int components,
        double straightness,
        double jump,
        double colorDrift,
        double shapeDrift,
        int direction,
        boolean[][] object) {

    /// Below this the motion does not count as straight.
    public static final double STRAIGHT = 0.75;

    /// A step longer than the mean one by more than this share of the object's width is a jump.
    public static final double JUMP = 0.3;

    /// The area may not leave `[1/AREA, AREA]` times its median.
    public static final double AREA = 1.4;

    /// The largest accepted [#colorDrift].
    public static final double COLOR = 0.3;

    /// The largest accepted [#shapeDrift]: above what blur, noise and mild compression cause (0.09), below a disc that turns into a
    /// square of the same area (0.16).
    public static final double SHAPE = 0.15;

    /// Whether the object moves as class `cls` does: net displacement within 30° of the axis and long enough (both in [#direction]),
    /// straight, without a jump.
    public boolean moves(int cls) {
        return direction == cls && straightness >= STRAIGHT && jump <= JUMP;
    }

    /// Whether it stays one and the same object: exactly one in every frame, of the same area, colour and shape.
    public boolean keptObject() {
        return components == 1 && areaRatio() <= AREA && colorDrift <= COLOR && shapeDrift <= SHAPE;
    }

    /// How far the area strays from its median, as a factor of at least 1.
    public double areaRatio() {
        double[] sorted = area.clone();
        Arrays.sort(sorted);
        double median = sorted[sorted.length / 2];
        double low = sorted[0];
        double high = sorted[sorted.length - 1];
        return low <= 0 ? Double.POSITIVE_INFINITY : Math.max(high / median, median / low);
    }
}
